"""``immure log``: read, verify and prove what stands in an audit log."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import open_output
from immure.errors import LogError, UsageError

if TYPE_CHECKING:
    from immure.auditlog import AuditLog, Checkpoint, Entry, NoteKey, Verified

_FORMATS = click.Choice(["terminal", "json"])

_EXIT_CODES = """
\b
Exit codes:
  0    done; the log, or the proof, is what was signed
  1    it was altered, or the signature is wrong
  2    the command cannot be done as it was given
  3    a file cannot be read
  130  interrupted
"""

_EPILOG = f"""
DIR is the directory of a log.

\b
Examples:
  immure log checkpoint /var/log/immure > kept.checkpoint
  immure log verify /var/log/immure --key log.vkey --known kept.checkpoint
  immure log show /var/log/immure --kind gate.deny --since 2026-11-01
  immure log prove /var/log/immure 4711 > entry.tlog-proof
  immure log check-proof entry.tlog-proof --key log.vkey
{_EXIT_CODES}"""

_key_option = click.option(
    "--key",
    "key_source",
    metavar="KEY",
    required=True,
    help="The log's public key: name+hash+base64, or a file with that line or with a PEM public key.",
)
_format_option = click.option("-f", "--format", "form", type=_FORMATS, default="terminal", show_default=True)
_output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write to FILE, whole or not at all.",
)
_directory = click.argument("directory", metavar="DIR", type=click.Path())


@click.group(epilog=_EPILOG)
def log() -> None:
    """Read and verify the tamper-evident log of decisions.

    Every decision of the gate is an entry. With each, the log's key signs a checkpoint over all of them, so
    that nobody can change or remove an entry later unnoticed.
    """


@log.command(epilog=_EXIT_CODES)
@_directory
@_key_option
@click.option(
    "--known",
    metavar="CHECKPOINT",
    type=click.Path(),
    help="A checkpoint kept from before; the log must continue it.",
)
@_format_option
@click.option("-q", "--quiet", is_flag=True, help="No notes; on a terminal the verdict only.")
def verify(directory: str, key_source: str, known: str | None, form: str, quiet: bool) -> int:
    """Read every entry, and hold all of them against the signed checkpoint.

    Without --known, a log that was put back to an older state as a whole looks like one that never went on.
    """
    from immure.auditlog import verify_log
    from immure.auditlog.storage import is_unreadable

    key = read_key(key_source)
    kept = None if known is None else read_known(known, key)
    try:
        verified = verify_log(directory, public_key=key, known=kept)
    except LogError as error:
        if is_unreadable(error):
            raise
        _report(directory, error, form)
        return ExitCode.FINDINGS
    _report(directory, verified, form)
    if not quiet:
        _advise(verified)
    return ExitCode.CLEAN


@log.command(epilog=_EXIT_CODES)
@_directory
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only this kind, and those below it.")
@click.option("--since", metavar="TIME", help="Only from this time (RFC 3339) or day on.")
@_format_option
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def show(directory: str, kinds: tuple[str, ...], since: str | None, form: str, quiet: bool) -> int:
    """Print entries, the oldest first.

    With --format json, one JSON object on each line. The entries are held against the checkpoint first; who
    signed it is not asked: that is for immure log verify.
    """
    begin = None if since is None else _moment(since)

    def work(opened: AuditLog) -> None:
        with open_output(None, utf8=form == "json") as stream:
            for entry in opened.entries():
                if _wanted(entry, kinds, begin):
                    stream.write(f"{_line(entry, form)}\n")
        if not quiet:
            say("note: the signature was not checked; immure log verify does that")

    return _with_log(directory, work)


@log.command(epilog=_EXIT_CODES)
@_directory
@_output_option
def checkpoint(directory: str, output: str | None) -> int:
    """Print the signed checkpoint, to be kept where nobody who can write to the log can change it.

    Given to immure log verify --known later, it shows that nothing logged until now was changed or removed.
    """
    return _with_log(directory, lambda opened: _write(opened.checkpoint().note, output))


@log.command(epilog=_EXIT_CODES)
@_directory
@click.argument("index", type=click.IntRange(min=0))
@_output_option
def prove(directory: str, index: int, output: str | None) -> int:
    """Print a proof that entry INDEX, counted from 0, is in the log.

    The proof has the form c2sp.org/tlog-proof@v1 and holds the entry itself. Whoever has the log's public key
    can check it without the log.
    """
    from immure.auditlog.prooffile import prove as prove_entry

    def work(opened: AuditLog) -> None:
        if index >= len(opened):
            raise UsageError(f"there is no entry {index}: the log has {len(opened)}", path=directory)
        _write(prove_entry(opened, index).to_bytes(), output)

    return _with_log(directory, work)


@log.command("check-proof", epilog=_EXIT_CODES)
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@_key_option
@_format_option
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def check_proof(file: str, key_source: str, form: str, quiet: bool) -> int:
    """Check a proof, and print the entry that it is about."""
    from immure.auditlog.prooffile import MAX_PROOF_BYTES, parse_proof

    key = read_key(key_source)

    def work() -> None:
        proof = parse_proof(_read(file, MAX_PROOF_BYTES + 1), path=file)
        entry = proof.verify(key)
        with open_output(None, utf8=form == "json") as stream:
            stream.write(f"{_line(entry, form)}\n")
        if not quiet:
            at = proof.checkpoint
            say(f"note: this is entry {entry.index} of the log {at.origin}, signed when it had {at.size}")

    return _answered(work)


# --- what goes in ---


def read_key(source: str) -> NoteKey | bytes:
    """The public key that a person gives; raises UsageError."""
    from immure.auditlog.keyfile import MAX_KEY_BYTES, parse_key
    from immure.auditlog.note import parse_vkey

    try:
        if source.count("+") >= 2:
            return parse_vkey(source)
        return parse_key(_read(source, MAX_KEY_BYTES + 1), path=source)
    except LogError as error:
        raise UsageError(f"--key: {error.reason}", path=error.path) from error


def read_known(path: str, key: NoteKey | bytes) -> Checkpoint:
    """The checkpoint in a file, if the key has signed it; raises UsageError."""
    from immure.auditlog import parse_checkpoint
    from immure.auditlog.note import MAX_NOTE_BYTES

    try:
        known = parse_checkpoint(_read(path, MAX_NOTE_BYTES + 1))
        known.verify(key)
    except LogError as error:
        raise UsageError(f"--known: {error.reason}", path=path) from error
    return known


def _read(path: str, limit: int) -> bytes:
    """The first bytes of a file, or of standard input."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(limit)
        with Path(path).open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise LogError(error.strerror or str(error), path=path) from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("a time as 2026-11-25T01:02:03Z or a day", param_hint="--since") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


# --- what is done ---


def _with_log(directory: str, work: Callable[[AuditLog], None]) -> int:
    from immure.auditlog import AuditLog

    return _answered(lambda: work(AuditLog.open(directory)))


def _answered(work: Callable[[], None]) -> int:
    """The exit code: errors that say what is wrong with the log itself are an answer."""
    from immure.auditlog.storage import is_unreadable

    try:
        work()
    except LogError as error:
        if is_unreadable(error):
            raise
        say(str(error))
        return ExitCode.FINDINGS
    return ExitCode.CLEAN


def _wanted(entry: Entry, kinds: tuple[str, ...], begin: datetime | None) -> bool:
    if begin is not None and entry.time < begin:
        return False
    return not kinds or any(entry.kind == kind or entry.kind.startswith(f"{kind}.") for kind in kinds)


# --- what comes out ---


def _line(entry: Entry, form: str) -> str:
    from immure.clock import to_rfc3339
    from immure.scanning.report.words import visible

    if form == "json":
        return json.dumps(json.loads(entry.to_line()), separators=(",", ":"))
    body = json.dumps(entry.body, ensure_ascii=False)
    return f"{entry.index:<7}  {to_rfc3339(entry.time)}  {entry.kind}  {visible(body)}"


def _report(directory: str, outcome: Verified | LogError, form: str) -> None:
    from immure.auditlog.report import to_json, verdict
    from immure.scanning.report.words import visible

    with open_output(None, utf8=form == "json") as stream:
        if form == "json":
            stream.write(f"{json.dumps(to_json(directory, outcome), indent=2)}\n")
        else:
            stream.write(f"{visible(verdict(directory, outcome))}\n")


def _advise(verified: Verified) -> None:
    if verified.known is None:
        say("note: without --known, a log that was put back as a whole to an older state is not noticed")
    if verified.unfinished:
        say(f"note: {verified.unfinished:,} bytes of an unfinished append follow; they are not in the log")


def _write(data: bytes, output: str | None) -> None:
    with open_output(output) as stream:
        stream.write(data.decode())
