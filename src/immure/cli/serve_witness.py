"""``immure serve witness``: sign the logs of others, one history of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.keygen import KEY_HELP, open_key
from immure.cli.serve_alone import address_of, is_local, serve_alone, tls_of
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.cli.witness_options import given_lines
from immure.errors import LogError, UsageError

if TYPE_CHECKING:
    from immure.auditlog import NoteKey
    from immure.auditlog.witness import Witness
    from immure.custody import Signer

_EPILOG = """
A witness belongs to somebody else than the log, on another machine and under another account. It keeps one
small file for each log: the last checkpoint that it signed. Without that directory it would sign another
history; so it is to be kept as the key is. If a log shows it two states of one size, both are kept: *.fork-1
and *.fork-2 prove to everybody that this log has two histories.

It answers POST /add-checkpoint (https://c2sp.org/tlog-witness) and GET /healthz. Events go to standard error,
one line of JSON each. SIGTERM stops it when what is in hand is answered.

\b
Examples:
  immure attest keygen witness.key
  immure serve witness --name witness.example --key file:witness.key --state seen --log log.vkey \\
      --init --check
  immure serve witness --name witness.example --key file:witness.key --state seen --log log.vkey \\
      --listen 127.0.0.1:8940 --behind-proxy

\b
Exit codes:
  0    stopped when asked to (--check: all is right)
  2    the command cannot be done as it was given; the address cannot be had
  3    key or state directory cannot be used
"""


@click.command(epilog=_EPILOG)
@click.option("--name", metavar="NAME", required=True, help="Of the witness, such as witness.example.")
@click.option("--key", "uri", metavar="URI", required=True, help=f"Signs for the witness. {KEY_HELP}")
@click.option("--state", metavar="DIR", required=True, type=click.Path(file_okay=False),
              help="What it has seen of each log.")  # fmt: skip
@click.option("--log", "log_lines", metavar="VKEY", multiple=True, required=True,
              help="Key of a log that it signs (several: repeat it); or a file of such lines.")  # fmt: skip
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8940", show_default=True)
@click.option("--prefix", metavar="PATH", default="", help="Answer below this path only.")
@click.option("--certificate", metavar="FILE", type=click.Path(), help="TLS: certificate and chain (PEM).")
@click.option("--certificate-key", metavar="FILE", type=click.Path(), help="TLS: its private key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="Others than this machine may connect without TLS.")
@click.option(
    "--init", "first", is_flag=True, help="Make the state directory: this witness has seen nothing."
)
@click.option("--check", is_flag=True, help="Print the key of the witness, and leave.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well.")
def witness(
    name: str,
    uri: str,
    state: str,
    log_lines: tuple[str, ...],
    listen: str,
    prefix: str,
    certificate: str | None,
    certificate_key: str | None,
    behind_proxy: bool,
    first: bool,
    check: bool,
    quiet: bool,
) -> int:
    """Witness the logs of others: sign each newer state that continues the one before, and no other.

    Whoever runs a log holds its key and could sign two histories of it. Who verifies with the key of a
    witness is shown the one that the witness saw.
    """
    logs = _log_keys(log_lines)
    from immure.ledger.witness_app import WitnessApp

    host, port = address_of(listen)
    tls = tls_of(certificate, certificate_key)
    if not (tls or behind_proxy or is_local(host)):
        raise UsageError("others could change what is sent: give --certificate, or say --behind-proxy")
    keep_memory_out_of_dumps()
    with open_key(uri, quiet) as signer:
        made = _witness(state, name, signer, logs, first)
        if not quiet:
            click.echo(f"public key of the witness: {made.key.to_vkey()}")
        if check:
            return ExitCode.CLEAN
        serve_alone(
            lambda journal: WitnessApp(made, prefix=prefix, told=journal.write), host, port, tls, most=1024
        )
    return ExitCode.CLEAN


def _witness(state: str, name: str, signer: Signer, logs: dict[str, NoteKey], first: bool) -> Witness:
    from immure.auditlog.note import is_name
    from immure.auditlog.witness import Witness
    from immure.custody.note_signer import NoteSigner

    if not is_name(name):
        raise UsageError("--name: a word without white space and +")
    if not first and not Path(state).is_dir():
        raise UsageError("is not there. A witness that forgot what it saw would sign another history; give "
                         "--init if this one is new", path=state)  # fmt: skip
    return Witness(state, NoteSigner(name, signer), logs)


def _log_keys(lines: tuple[str, ...]) -> dict[str, NoteKey]:
    from immure.auditlog.note import parse_vkey

    try:
        keys = [parse_vkey(line.strip()) for line in given_lines(lines, "--log")]
    except LogError as error:
        raise UsageError(f"--log: {error.reason}") from error
    made = {key.name: key for key in keys}
    if not keys or len(made) != len(keys):
        raise UsageError("--log: no key, or two keys for one log")
    return made
