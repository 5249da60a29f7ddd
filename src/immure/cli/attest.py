"""``immure attest``: sign, verify and show clearances."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import KEY_HELP, keygen, open_key, public
from immure.cli.messages import say
from immure.cli.output import open_output
from immure.errors import AttestationError, InputError, UsageError

if TYPE_CHECKING:
    from immure.attest.statement import Digest
    from immure.attest.trust import TrustedKey
    from immure.attest.verify import Verified

Command = TypeVar("Command", bound=Callable[..., Any])

_EPILOG = """
\b
Examples:
  immure attest keygen trial.key
  immure attest sign clearance.json --subject app.core --key file:trial.key -o app.core.dsse.json
  immure attest verify app.core.dsse.json --subject app.core --trust trial.key.pub
  immure attest show app.core.dsse.json
"""

_SIGN_EPILOG = """
DOCUMENT is a clearance (JSON), an in-toto Statement with one, or an envelope, to which a signature is added.

\b
Examples:
  immure attest sign clearance.json --subject app.core --key file:trial.key -o app.core.dsse.json
  immure attest sign app.core.dsse.json --subject app.core --key file:second.key -o twice.dsse.json

\b
Exit codes:
  0  signed
  1  not signed: DOCUMENT is malformed, has expired, or does not clear these bytes
  2  the command cannot be done as it was given
  3  a file cannot be read or written, or a key cannot be used
"""

_VERIFY_EPILOG = """
\b
Examples:
  immure attest verify app.core.dsse.json --subject app.core --trust release.pub
  immure attest verify app.core.dsse.json --subject app.core --trust keys/ --threshold 2 --format json

\b
Exit codes:
  0  FILE is cleared: the envelope is signed by trusted keys, holds now, and is about these bytes
  1  it is not
  2  the command cannot be done as it was given, or a key to trust cannot be read
  3  a file cannot be read
"""

_SHOW_EPILOG = """
\b
Examples:
  immure attest show app.core.dsse.json
  immure attest show app.core.dsse.json --trust release.pub --format json

\b
Exit codes:
  0  shown; with --trust: and signed by trusted keys, and holding now
  1  not an envelope with a clearance, or (with --trust) not to be trusted
  2  the command cannot be done as it was given, or a key to trust cannot be read
  3  the file cannot be read
"""

_ENVELOPE = click.argument("envelope", metavar="ENVELOPE", type=click.Path(dir_okay=False))
_SUBJECT = click.option(
    "--subject", metavar="FILE", required=True, type=click.Path(dir_okay=False), help="The dump."
)
_THRESHOLD = click.option(
    "--threshold",
    type=click.IntRange(1, 32),
    default=1,
    show_default=True,
    help="How many different trusted keys must have signed.",
)
_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="No notes.")


def _trust(required: bool) -> Callable[[Command], Command]:
    return click.option(
        "--trust",
        metavar="PUBKEYS",
        multiple=True,
        required=required,
        help="Public keys to trust: a JWK, JWKS, PEM or DER file, or a directory of these; repeatable.",
    )


@click.group(epilog=_EPILOG)
def attest() -> None:
    """Sign, verify and show clearances: signed statements that a dump may leave, and why."""


attest.add_command(keygen)
attest.add_command(public)


@attest.command(epilog=_SIGN_EPILOG)
@click.argument("document", metavar="DOCUMENT", type=click.Path(dir_okay=False))
@_SUBJECT
@click.option("--key", "uris", metavar="URI", multiple=True, required=True, help=f"{KEY_HELP}; repeatable.")
@click.option(
    "-o", "--output", metavar="ENVELOPE", type=click.Path(dir_okay=False), help="[default: standard output]"
)
@click.option("--name", help="What to call the dump in the statement.  [default: its file name]")
@_QUIET
def sign(
    document: str, subject: str, uris: tuple[str, ...], output: str | None, name: str | None, quiet: bool
) -> int:
    """Sign the clearance of a dump.

    The statement is bound to the bytes of the dump as they are now. What no verifier would accept is not
    signed.
    """
    from immure.attest.sign import read_document, sign_envelope

    data, digest = _read(document), _digest(subject)
    try:
        envelope = read_document(data, name or _name(subject), digest)
        with ExitStack() as stack:
            signers = [stack.enter_context(open_key(uri, quiet)) for uri in uris]
            signed = sign_envelope(envelope, *signers)
    except AttestationError as error:
        say(f"not signed: {document}: {error.reason}")
        return ExitCode.FINDINGS
    with open_output(output) as stream:
        stream.write(signed.decode("ascii") + "\n")
    for signer in () if quiet else signers:
        say(f"signed by {signer.thumbprint} ({signer.algorithm})")
    return ExitCode.CLEAN


@attest.command(epilog=_VERIFY_EPILOG)
@_ENVELOPE
@_SUBJECT
@_trust(required=True)
@_THRESHOLD
@_FORMAT
@_QUIET
def verify(
    envelope: str, subject: str, trust: tuple[str, ...], threshold: int, form: str, quiet: bool
) -> int:
    """Verify that a dump is cleared, byte for byte.

    The envelope must be signed by keys that you trust, must hold now, and must be about exactly these bytes;
    its proof must hold, and the policy that was asked, if one was, must have allowed it.
    """
    from immure.attest.verify import verify_release

    trusted, data, digest = _load_trust(trust, quiet), _read(envelope), _digest(subject)
    try:
        verified = verify_release(data, digest, trusted, threshold=threshold)
    except AttestationError as error:
        _print(form, _verdict(None, error.reason), f"NOT VALID  {envelope}: {error.reason}")
        return ExitCode.FINDINGS
    signers = ", ".join(verified.thumbprints)
    until = _verdict(verified, None)["expires"]
    _print(form, _verdict(verified, None), f"VALID  {subject}: cleared until {until}; signed by {signers}")
    return ExitCode.CLEAN


@attest.command(epilog=_SHOW_EPILOG)
@_ENVELOPE
@_trust(required=False)
@_THRESHOLD
@_FORMAT
@_QUIET
def show(envelope: str, trust: tuple[str, ...], threshold: int, form: str, quiet: bool) -> int:
    """Show what an envelope says: what was searched, found, erased and proved, and until when that holds.

    Without --trust nothing of it is verified. Whether a file is the one that it speaks of, `verify` says.
    """
    from immure.attest.envelope import parse_envelope
    from immure.attest.predicates import read_payload
    from immure.attest.verify import verify_envelope
    from immure.attest.words import describe

    trusted, data = _load_trust(trust, quiet), _read(envelope)
    try:
        parsed = parse_envelope(data)
        statement, clearance = read_payload(parsed.payload)
    except AttestationError as error:
        say(f"{envelope}: {error.reason}")
        return ExitCode.FINDINGS
    reason, verified = "no --trust was given", None
    try:
        verified = verify_envelope(data, trusted, threshold=threshold) if trust else None
    except AttestationError as error:
        reason = error.reason
    named = [one.keyid or "(nobody named)" for one in parsed.signatures]
    head = f"NOT VERIFIED  {reason}; anybody may have written this, in the name of {', '.join(named)}"
    if verified is not None:
        signers = ", ".join(verified.thumbprints)
        head = f"VERIFIED      signed by {signers}; whether a file is the subject, `verify` says"
    result = {
        **_verdict(verified, None if verified else reason),
        "signatures": named,
        "statement": statement.to_json(),
    }
    _print(form, result, head, "", *describe(statement, clearance))
    return ExitCode.FINDINGS if trust and verified is None else ExitCode.CLEAN


def _verdict(verified: Verified | None, reason: str | None) -> dict[str, Any]:
    from immure.clock import to_rfc3339

    if verified is None:
        return {"valid": False, "reason": reason}
    clearance, [subject] = verified.clearance, verified.statement.subjects
    return {
        "valid": True,
        "reason": None,
        "subject": {"name": subject.name, "sha256": subject.sha256},
        "signers": list(verified.thumbprints),
        "issued": to_rfc3339(clearance.issued),
        "expires": to_rfc3339(clearance.expires),
    }


def _print(form: str, result: dict[str, Any], *lines: str) -> None:
    from immure.scanning.report.words import visible

    if form == "json":
        click.echo(json.dumps(result, indent=2))
    else:
        click.echo("\n".join(visible(line) for line in lines))


def _load_trust(paths: Sequence[str], quiet: bool) -> tuple[TrustedKey, ...]:
    from immure.attest.trust import load_trusted

    try:
        loaded = load_trusted(paths)
    except InputError as error:
        raise UsageError(str(error)) from error
    for note in () if quiet else loaded.notes:
        say(f"note: {note}")
    return loaded.keys


def _read(path: str) -> bytes:
    """The bytes of a file, no more of them than show that it is too large."""
    from immure.attest.envelope import MAX_BYTES

    try:
        with open(path, "rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise InputError(getattr(error, "strerror", None) or "cannot be read", path=path) from error


def _digest(path: str) -> Digest:
    from immure.attest.statement import digest_of

    try:
        with open(path, "rb") as stream:
            return digest_of(stream, path)
    except (OSError, ValueError) as error:
        raise InputError(getattr(error, "strerror", None) or "cannot be read", path=path) from error


def _name(path: str) -> str:
    return os.fsencode(os.path.basename(path)).decode("utf-8", "backslashreplace")
