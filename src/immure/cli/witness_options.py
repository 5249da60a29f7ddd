"""Options by which commands name the witnesses of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from immure.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from immure.auditlog.cosignature import CosignatureKey
    from immure.auditlog.log import AuditLog
    from immure.auditlog.witnessed import Witnessed
    from immure.ledger.witnesses import Asked, Witnesses

WITNESS_KEYS = click.option(
    "--witness", "witness_lines", metavar="'VKEY [URL]'", multiple=True,
    help="Key of a witness that must have signed (several: repeat it); or a file of such lines. If a URL "
    "follows the key, the witness is also asked now.",
)  # fmt: skip
WITNESSES = click.option(
    "--witness", "witness_lines", metavar="'VKEY URL'", multiple=True,
    help="Who is asked to sign the log after each batch (several: repeat it); or a file of such lines.",
)  # fmt: skip
QUORUM = click.option("--witness-quorum", "quorum", metavar="N", type=click.IntRange(min=1),
                      help="How many of them must have signed. [default: all]")  # fmt: skip
WITHIN = click.option("--witnessed-within", "within", metavar="SECONDS", type=click.IntRange(min=1),
                      help="So many of them must have signed that lately: an older state was put back, or "
                      "witnesses cannot be reached.")  # fmt: skip


def witness_keys(lines: tuple[str, ...]) -> list[CosignatureKey]:
    """The keys that a person gives; a URL behind one is not looked at here. Raises UsageError."""
    from immure.auditlog.cosignature import parse_witness
    from immure.errors import LogError

    try:
        return [parse_witness(line.split()[0]) for line in given_lines(lines, "--witness")]
    except LogError as error:
        raise UsageError(f"--witness: {error.reason}") from error


def open_witnesses(lines: tuple[str, ...], quorum: int | None) -> Witnesses | None:
    """Those that a person names, None if nobody is named. Raises UsageError."""
    from immure.ledger.errors import LedgerError
    from immure.ledger.witnesses import Witnesses, parse_place

    if not lines:
        if quorum is not None:
            raise UsageError("--witness-quorum is of witnesses, and no --witness is named")
        return None
    try:
        return Witnesses([parse_place(line) for line in given_lines(lines, "--witness")], quorum=quorum)
    except LedgerError as error:
        raise UsageError(f"--witness: {error.reason}") from error


def require_witnessed(
    directory: str | Path, key: Any, lines: tuple[str, ...], quorum: int | None, within: int | None
) -> Witnessed | None:
    """The checkpoint beside a log that enough witnesses have signed; None if no witness is asked for.

    Raises:
        UsageError: a key is none, or so many cannot be asked for.
        LogError: it is not there, or not signed by so many, or too long ago.
    """
    from immure import clock
    from immure.auditlog.witnessed import WITNESSED, check_witnessed, read_witnessed

    keys = witness_keys(lines)
    if quorum is not None and quorum > len(keys):
        raise UsageError(f"--witness-quorum {quorum} of {len(keys)} witnesses")
    if not keys:
        if within is not None:
            raise UsageError("--witnessed-within is of witnesses, and no --witness is named")
        return None
    needed, path = quorum or len(keys), f"{directory}/{WITNESSED}"
    seen = check_witnessed(read_witnessed(directory), key, keys, needed, path=path)
    if within is not None:
        seen.check_age(needed, int(clock.now().timestamp()), within, path=path)
    return seen


def ask_now(log: AuditLog, lines: tuple[str, ...], quorum: int | None) -> Asked | None:
    """What those witnesses say of a log as it is now behind whose keys a URL stands; None if there is none.

    Raises:
        UsageError: a line is none.
        LedgerError: so many have seen another history, or more of it, that the others are not enough.
    """
    places = [line for line in given_lines(lines, "--witness") if " " in line.strip()]
    if not places:
        return None
    witnesses = open_witnesses(tuple(places), None if quorum is None else min(quorum, len(places)))
    return None if witnesses is None else witnesses.check(log, keep=False)


def given_lines(given: tuple[str, ...], option: str) -> list[str]:
    """Lines that begin with a key, those of files included; raises UsageError if a file cannot be read."""
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
            raise UsageError("neither a key nor a file of such lines", path=option) from error
        made += [line for line in read if line.strip() and not line.startswith("#")]
    return made
