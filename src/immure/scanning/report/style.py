"""The style sheet of the HTML report. ASCII only, no address of anything outside the page."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f5f1; --card: #ffffff; --ink: #1c1c1f; --soft: #5a5b63; --line: #dddbd3;
  --bad: #a8201a; --bad-soft: #fbe9e7; --good: #17663f; --good-soft: #e4f2ea;
  --warn: #835000; --warn-soft: #fbf0db; --searched: #b9cfc2; --gap: #d99a2b; --link: #174ea6;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131417; --card: #1b1d21; --ink: #ececee; --soft: #a6a8b1; --line: #33363d;
    --bad: #ff8a80; --bad-soft: #3a1d1c; --good: #7fd4a4; --good-soft: #172c21;
    --warn: #f2b65a; --warn-soft: #33270f; --searched: #35584a; --gap: #b97f1c; --link: #9ec1ff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.75rem; }
footer { padding-bottom: 3rem; color: var(--soft); font-size: .875rem; }
h1 { font-size: 1rem; font-weight: 600; margin: 0 0 .75rem; color: var(--soft); }
h1 b { color: var(--ink); letter-spacing: .02em; }
h2 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; line-height: 1.3; }
h3 { font-size: 1.0625rem; margin: 2rem 0 .75rem; }
h4 { font-size: 1rem; margin: 0 0 .75rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
code, .mono { font-family: var(--mono); font-size: .875em; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.banner {
  display: flex; gap: 1rem; align-items: center; padding: 1.1rem 1.35rem; border-radius: 12px;
  border: 1px solid currentColor; font-size: 1.3rem; font-weight: 650; line-height: 1.3;
  text-wrap: balance;
}
.banner svg { flex: none; width: 2rem; height: 2rem; }
.banner p { margin: 0; }
.banner small { display: block; font-size: .9375rem; font-weight: 400; color: var(--ink); margin-top: .2rem; }
.found { --tone: var(--bad); --tone-soft: var(--bad-soft); }
.clean { --tone: var(--good); --tone-soft: var(--good-soft); }
.incomplete, .unreadable, .empty, .skipped { --tone: var(--warn); --tone-soft: var(--warn-soft); }
.banner, .verdict { color: var(--tone); background: var(--tone-soft); }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1.35rem; margin: 1.5rem 0;
}
.verdict { padding: .55rem .8rem; border-radius: 8px; font-weight: 600; margin: .9rem 0; }
.verdict span {
  display: inline-block; font-size: .75rem; letter-spacing: .06em; text-transform: uppercase;
  margin-right: .6rem;
}
.tag {
  display: inline-block; border: 1px solid var(--tone, var(--line)); color: var(--tone, var(--soft));
  border-radius: 99px; padding: 0 .55rem; font-size: .8125rem; line-height: 1.5rem; white-space: nowrap;
}
.facts { margin: 0; }
.facts div { display: grid; grid-template-columns: 8.5rem 1fr; gap: 0 1rem; padding: .2rem 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.finding { border-left: 4px solid var(--bad); padding: .1rem 0 .1rem 1.1rem; margin: 1.25rem 0 1.75rem; }
.finding:target { background: var(--bad-soft); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .8125rem; white-space: nowrap; }
th, td { padding: .35rem 1rem .35rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; min-width: 4.5rem; }
.number { font-family: var(--mono); font-size: .875em; white-space: nowrap; }
summary { cursor: pointer; color: var(--link); padding: .25rem 0; }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: .9375rem; margin-bottom: .5rem; }
.strip { display: block; width: 100%; height: 1.5rem; overflow: visible; }
.overview { height: 2.75rem; }
.s0 { fill: var(--searched); }
.s1 { fill: var(--gap); fill-opacity: .28; }
.s2 { fill: var(--card); stroke: var(--gap); stroke-dasharray: 4 3; vector-effect: non-scaling-stroke; }
.s3 { fill: var(--bad); }
.hatch { stroke: var(--gap); stroke-width: 3; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0;
  margin: .6rem 0 1rem; font-size: .875rem; }
.legend svg { width: 1.4rem; height: .95rem; vertical-align: -.1rem; margin-right: .4rem; overflow: visible; }
.ends { display: flex; justify-content: space-between; gap: 1rem; font-size: .8125rem; color: var(--soft); }
.rows { list-style: none; margin: 0; padding: 0; }
.rows li {
  display: grid; grid-template-columns: minmax(0, 15rem) 3.2rem 5.5rem minmax(0, 1fr) 6rem;
  gap: 0 1rem; align-items: center; padding: .3rem 0; border-top: 1px solid var(--line);
}
.rows .name { min-width: 0; line-height: 1.25; overflow-wrap: anywhere; font-size: .9375rem; }
.rows .name small { display: block; color: var(--soft); font-family: var(--mono); font-size: .78rem; }
.rows .size { text-align: right; font-size: .875rem; font-variant-numeric: tabular-nums; }
.rows .count { color: var(--bad); font-weight: 650; font-size: .875rem; white-space: nowrap; }
@media (max-width: 44rem) {
  header, main, footer { padding-left: .8rem; padding-right: .8rem; }
  .card { padding: 1rem .9rem; }
  .banner { font-size: 1.1rem; padding: .9rem; }
  .facts div { grid-template-columns: 1fr; padding: .3rem 0; }
  .rows li { grid-template-columns: minmax(0, 1fr) auto auto; gap: .15rem .7rem; padding: .55rem 0; }
  .rows .strip { grid-column: 1 / -1; grid-row: 2; }
  .rows .count { grid-column: 1 / -1; grid-row: 3; }
  .rows .count:empty { display: none; }
}
@media print {
  body { background: none; }
  .card { break-inside: auto; border: 0; padding: 0; }
}
@media (forced-colors: active) {
  .s0 { fill: Canvas; stroke: CanvasText; }
  .s3 { fill: Mark; stroke: CanvasText; }
}
"""
