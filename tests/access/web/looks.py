"""How a page looks to those who see it, and to those who do not."""

from __future__ import annotations

from collections.abc import Sequence

from servers.axe import violations
from servers.chromium import Visitor

_CONTRAST = ("color-contrast", "link-in-text-block")


def examine(visitor: Visitor, where: str, *, dark: bool = True) -> None:
    """axe-core finds nothing by day, nor in the dark; nothing is wider than the screen."""
    _none(visitor.too_wide(), f"{where}: too wide")
    _none(violations(visitor), where)
    if not dark:
        return
    visitor.scheme("dark")
    try:
        assert visitor.run("matchMedia('(prefers-color-scheme: dark)').matches"), where
        _none(violations(visitor, *_CONTRAST), f"{where}, in the dark")
    finally:
        visitor.scheme("light")


def _none(found: Sequence[object], where: str) -> None:
    assert not found, f"{where}: {found}"


def tab_to(visitor: Visitor, name: str, *, most: int = 24) -> list[str]:
    """Press Tab until something of this id, or text, has the focus; where it was on the way. Each place is
    marked."""
    way: list[str] = []
    while (now := _next(visitor)) != name:
        way.append(now)
        assert len(way) < most, f"{name} is not reached by Tab: {way}"
    return way


def _next(visitor: Visitor) -> str:
    visitor.press("Tab")
    assert visitor.focus_is_seen(), f"nobody sees that {visitor.focused()!r} has the focus"
    return visitor.focused()


def enter(visitor: Visitor) -> None:
    """Press Enter, and wait for the page that comes of it."""
    visitor.leaving()
    visitor.press("Enter")
    visitor.arrived()
