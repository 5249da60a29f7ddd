"""The tokens of a probe in files, for whoever wants to send them by another way.

DIR/scope.incident.jwt      one for each case
DIR/bound.replayed.1.jwt    of several tokens, in the order in which they are sent
DIR/control.KID.jwt         good tokens, one for each of the target's keys
DIR/cases.json              what they are, and what must become of them
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from immure import clock
from immure.files import write_whole
from immure.probe.case import Case
from immure.probe.errors import KitError, MissingError
from immure.probe.kit import Kit
from immure.probe.mint import LIFETIME, Mint


def write_tokens(
    directory: str | os.PathLike[str], kit: Kit, cases: Iterable[Case], *, time: clock.Clock = clock.now
) -> int:
    """Write the tokens; how many cases were written. They are good, or bad, for :data:`LIFETIME` seconds.

    Raises:
        KitError: the directory is not empty or cannot be written.
    """
    root = Path(directory)
    moment = time()
    mint = Mint(kit, int(moment.timestamp()))
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise KitError("is not empty; tokens are written into a directory of their own", path=str(root))
        for key in kit.home_keys(mint.now):
            _write(root, f"control.{_plain(key.kid)}", mint.good(key))
        rows = [_case(root, case, mint) for case in cases]
        index = {"made": clock.to_rfc3339(moment), "lifetime_seconds": LIFETIME, "cases": rows}
        write_whole(root / "cases.json", json.dumps(index, indent=1).encode() + b"\n", mode=0o600)
    except OSError as error:
        raise KitError(f"cannot be written: {error.strerror or error}", path=str(root)) from error
    return sum("files" in row for row in rows)


def _case(root: Path, case: Case, mint: Mint) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": case.id,
        "title": case.title,
        "reference": case.reference,
        "severity": case.severity,
        "expected": case.expected,
    }
    try:
        tokens = case.tokens(mint)
    except MissingError as error:
        return {**row, "not_made": error.reason}
    names = [case.id if len(tokens) == 1 else f"{case.id}.{number}" for number in range(1, len(tokens) + 1)]
    return {**row, "files": [_write(root, name, token) for name, token in zip(names, tokens, strict=True)]}


def _write(root: Path, name: str, token: str) -> str:
    handle = os.open(root / f"{name}.jwt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as stream:  # without a sync for each of 300: cases.json, which is last, is synced
        stream.write(token.encode("utf-8", "surrogatepass"))
    return f"{name}.jwt"


def _plain(kid: str) -> str:
    """A kid as part of a file's name."""
    return "".join(one if one.isascii() and (one.isalnum() or one in "-_") else "_" for one in kid)[:100]
