"""Options by which commands name the witnesses of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from immure.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from immure.auditlog.cosignature import CosignatureKey
    from immure.auditlog.witnessed import Witnessed
    from immure.ledger.witnesses import Witnesses

WITNESS_KEYS = click.option(
    "--witness", "witness_lines", metavar="VKEY", multiple=True,
    help="Key of a witness that must have signed (several: repeat it); or a file of such lines.",
)  # fmt: skip
WITNESSES = click.option(
    "--witness", "witness_lines", metavar="'VKEY URL'", multiple=True,
    help="Who is asked to sign the log after each batch (several: repeat it); or a file of such lines.",
)  # fmt: skip
QUORUM = click.option("--quorum", metavar="N", type=click.IntRange(min=1),
                      help="How many of them must have signed. [default: all]")  # fmt: skip


def witness_keys(lines: tuple[str, ...]) -> list[CosignatureKey]:
    """The keys that a person gives; a URL behind one is not looked at. Raises UsageError."""
    from immure.auditlog.cosignature import parse_witness
    from immure.errors import LogError

    try:
        return [parse_witness(line.split()[0]) for line in _lines(lines)]
    except LogError as error:
        raise UsageError(f"--witness: {error.reason}") from error


def open_witnesses(lines: tuple[str, ...], quorum: int | None) -> Witnesses | None:
    """Those that a person names, None if nobody is named. Raises UsageError."""
    from immure.ledger.errors import LedgerError
    from immure.ledger.witnesses import Witnesses, parse_place

    if not lines:
        if quorum is not None:
            raise UsageError("--quorum is of witnesses, and no --witness is named")
        return None
    try:
        return Witnesses([parse_place(line) for line in _lines(lines)], quorum=quorum)
    except LedgerError as error:
        raise UsageError(f"--witness: {error.reason}") from error


def require_witnessed(
    directory: str | Path, key: Any, lines: tuple[str, ...], quorum: int | None
) -> Witnessed | None:
    """The checkpoint beside a log that enough witnesses have signed; None if no witness is asked for.

    Raises:
        UsageError: a key is none, or so many cannot be asked for.
        LogError: it is not there, or not signed by so many.
    """
    from immure.auditlog.witnessed import WITNESSED, check_witnessed, read_witnessed

    keys = witness_keys(lines)
    if quorum is not None and quorum > len(keys):
        raise UsageError(f"--quorum {quorum} of {len(keys)} witnesses")
    if not keys:
        return None
    note = read_witnessed(directory)
    return check_witnessed(note, key, keys, quorum or len(keys), path=f"{directory}/{WITNESSED}")


def _lines(given: tuple[str, ...]) -> list[str]:
    """The lines, those of files included."""
    from pathlib import Path

    made: list[str] = []
    for text in given:
        if text.count("+") >= 2:
            made.append(text)
            continue
        try:
            with Path(text).open(encoding="utf-8") as stream:
                read = stream.read(1 << 16).splitlines()
        except (OSError, ValueError) as error:
            raise UsageError(
                "neither a key of a witness nor a file of such lines", path="--witness"
            ) from error
        made += [line for line in read if line.strip() and not line.startswith("#")]
    return made
