"""``immure capture status`` for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from immure.scanning.report.words import bytes_words, count_words, visible

if TYPE_CHECKING:
    from immure.capture.status import Status

_LAST: Final = 10


def lines(status: Status) -> Iterator[str]:
    """What there is to say, line by line."""
    yield "ACTIVE  crashes are captured" if status.is_active else f"NOT ACTIVE  {_why_not(status)}"
    pattern = status.pattern.text if status.pattern is not None else "cannot be read"
    yield f"core_pattern  {visible(pattern)}"
    yield f"owner         {visible(status.owner)}"
    yield f"server        {'answers' if status.alive else 'does not answer'}"
    if status.state is not None:
        if not status.alive:
            yield "what it said last:"
        yield from _counted(status.state)
        yield from _crashes(status.state)


def _why_not(status: Status) -> str:
    if not status.is_ours:
        return f"cores do not come here: {visible(status.owner)}"
    return "the server does not run: there are no cores at all"


def _counted(state: dict[str, Any]) -> Iterator[str]:
    from immure.capture.status import reason_words

    counters, now = state["counters"], state["now"]
    yield f"since         {visible(state['started'])}, kept: {visible(state['keep'])}"
    captured = f"{counters['captured']:,} captured ({bytes_words(counters['bytes_captured'])})"
    yield (
        f"crashes       {counters['arrived']:,}: {captured}, {counters['dropped_total']:,} dropped,"
        f" {counters['under_way']:,} under way"
    )
    for reason, count in counters["dropped"].items():
        yield f"  dropped     {count:,}: {visible(reason_words(reason))} ({visible(reason)})"
    if counters["with_keys"]:
        yield f"  with keys   {counters['with_keys']:,}"
    if counters["refused"]:
        yield f"refused       {count_words(counters['refused'], 'connection')} that came from no crash"
    used = ", ".join(f"{bytes_words(now[name]['used'])} of {name}" for name in ("memory", "disk"))
    yield f"now           {now['waiting']} waiting, {now['in_hand']} in hand, {used}"
    yield f"longest hold  {counters['longest_hold_seconds']:.3f} s"


def _crashes(state: dict[str, Any]) -> Iterator[str]:
    last = state["last"][-_LAST:]
    if last:
        yield "last crashes"
    for crash in reversed(last):
        what = crash["outcome"]
        if what == "captured":
            what = f"{bytes_words(crash['size'])} {crash['id'] or 'looked at, not kept'}"
            found = (crash.get("scan") or {}).get("found", 0)
            what += f", {count_words(found, 'key')} found" if found else ""
        else:
            what += f": {crash['reason']}"
        yield f"  {crash['time']}  {visible(crash['comm'] or '?')}[{crash['pid']}]  {visible(what)}"
