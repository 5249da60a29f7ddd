"""Which ``core_pattern`` a system sets when it starts, read from its sysctl files (sysctl.d(5)).

Files of one name replace one another, those in /etc first; what is read last holds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_DIRECTORIES: Final = ("usr/lib/sysctl.d", "usr/local/lib/sysctl.d", "run/sysctl.d", "etc/sysctl.d")
_LINE: Final = re.compile(r"\s*-?\s*kernel[./]core_pattern\s*=\s*(.*?)\s*")
_MOST_BYTES: Final = 1 << 20


def configured_pattern(root: Path, *, leave_out: str = "") -> str | None:
    """The pattern that the system below ``root`` sets; None if it sets none. The file called ``leave_out``
    (our own) does not count."""
    found = None
    for path in _files(root):
        if path.name != leave_out:
            found = _pattern_in(path) or found
    return found


def _files(root: Path) -> list[Path]:
    """In the order in which they are read."""
    by_name: dict[str, Path] = {}
    for directory in _DIRECTORIES:
        by_name.update({path.name: path for path in (root / directory).glob("*.conf")})
    return [*(by_name[name] for name in sorted(by_name)), *(root / "etc").glob("sysctl.conf")]


def _pattern_in(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            lines = stream.read(_MOST_BYTES).splitlines()
    except OSError:  # a link that leads nowhere sets nothing
        return None
    found = [match[1] for line in lines if (match := _LINE.fullmatch(line))]
    return found[-1] if found else None
