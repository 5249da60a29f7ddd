"""Which processes of a server used how much processor time."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

#: Part of a command by which a key holder is known, and the name of the process that guards it.
_HOLDER, _GUARD = "keyholder", "immure-guard"
_POSTGRES = "postgres"


def cpu_by_part(processes: list[int]) -> Counter[str]:
    """Seconds of processor time that processes have used, with all that they started, by part: ``front``,
    ``holder`` and ``postgres``. What has ended and was waited for is its parent's."""
    ticks = os.sysconf("SC_CLK_TCK")
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        used[int(entry.name)] = sum(map(int, fields[11:15])) / ticks
    waiting, found = [(one, "front") for one in processes], Counter[str]()
    while waiting:
        one, part = waiting.pop()
        part = _part(one, part)
        found[part] += used.get(one, 0.0)
        waiting += [(child, part) for child in children.get(one, [])]
    return found


def _part(process: int, parent: str) -> str:
    try:
        name = Path(f"/proc/{process}/comm").read_text().strip()
        words = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return parent
    if name == _GUARD or _HOLDER.encode() in words:
        return "holder"
    return "postgres" if name == _POSTGRES else parent


def child_of(parent: int, name: str) -> int:
    """A process of that name that another one started; raises LookupError."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().strip() == name:
            return int(child)
    raise LookupError(f"{parent} has started no {name}")
