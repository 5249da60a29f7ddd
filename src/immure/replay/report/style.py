"""What the pictures of a replay need, beyond the style sheet of all reports. ASCII only."""

from __future__ import annotations

STYLE = """
.chain, .timeline { width: 100%; height: auto; display: block; }
.chain text, .timeline text {
  font: 15px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink);
}
.chain .number-mark { font-weight: 700; }
.chain .name { font-weight: 600; }
.chain .fate { font-size: 13.5px; fill: var(--soft); }
.link rect { fill: var(--card); stroke: var(--line); stroke-width: 2; }
.link.failed rect { fill: var(--bad-soft); stroke: var(--bad); }
.link.broke rect { fill: var(--good-soft); stroke: var(--good); stroke-width: 4; }
.link.noticed rect { fill: var(--warn-soft); stroke: var(--warn); stroke-width: 3; }
.link.missing rect { stroke: var(--bad); stroke-dasharray: 7 5; }
.link path { fill: none; stroke: var(--soft); stroke-width: 2.5; }
.link.failed path { stroke: var(--bad); }
.link.broke path { stroke: var(--good); stroke-width: 4; }
.link.noticed path { stroke: var(--warn); }
.link.idle { opacity: .55; }
.joint { stroke: var(--bad); stroke-width: 5; }
.joint.idle { stroke: var(--line); stroke-dasharray: 4 6; }
.lane { stroke: var(--line); stroke-width: 1; }
.timeline .who, .timeline .tick { font-size: 13px; fill: var(--soft); }
.timeline .tick { text-anchor: middle; }
.dot { fill: var(--link); fill-opacity: .75; }
.dot.end { fill: var(--good); fill-opacity: 1; stroke: var(--ink); stroke-width: 2; }
@media (forced-colors: active) { .link rect { fill: Canvas; stroke: CanvasText; } }
"""
