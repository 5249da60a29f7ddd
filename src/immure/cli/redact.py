"""``immure redact``: a copy of a dump without the keys, and proof that they are gone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import click

from immure.cli.beside import beside
from immure.cli.exit_codes import ExitCode
from immure.cli.key_sources import load_all
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output
from immure.cli.progress import Reporter, reporter
from immure.cli.search_options import KEYS, PRIVATE_HOSTS, THREADS
from immure.cli.sketch_options import SKETCH_DETECTOR, SKETCHES, load_sketches
from immure.cli.vault import open_vault, wrapping_options
from immure.errors import UsageError
from immure.scanning.options import Mode, ScanOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immure.keymaterial.key import PublicKey
    from immure.redact.options import RedactOptions
    from immure.redact.record import RedactionRecord
    from immure.vault import Vault

_EPILOG = """
DUMP is one crash dump (ELF core, minidump, HPROF, LiME or raw bytes; compressed ones come out compressed).
Nothing in it is changed but the bytes that are erased; offsets, threads and backtraces stay.

SRC is a source of public keys, as for immure scan. Keys whose public half stands in the dump are erased, too.
Of a key that is found every number is erased in every writing, and every piece of one.

\b
Examples:
  immure redact app.core -o app.redacted.core --keys jwks.json
  immure redact app.core.zst -o out.core.zst --keys https://login.example/ --also tokens,cookies
  immure redact app.core -o out.core --secret-file signing-key.pem --secret-file db-password.txt
  immure redact app.core -o out.core --sketches app.sketch
  immure redact app.core -o out.core --stack-only
  immure redact sha256:9f86d081… --vault /var/lib/immure/vault -o out.core --keys jwks.json

\b
Exit codes:
  0    the copy is written and proved
  2    the command cannot be done as it was given
  3    it cannot be redacted, or the result cannot be proved: there is no output
  130  interrupted: there is no output
"""


@click.command(epilog=_EPILOG)
@click.argument("dump", metavar="DUMP", type=click.Path())
@click.option(
    "-o", "--output", metavar="OUT", required=True, type=click.Path(dir_okay=False), help="The copy."
)
@KEYS
@PRIVATE_HOSTS
@click.option("--deep", is_flag=True, help="Look for damaged keys, too, and erase what is left of them.")
@click.option(
    "--secret-file",
    "secret_files",
    metavar="FILE",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="A private key (PEM), or any secret as bytes, to erase without looking for it; repeatable.",
)
@SKETCHES
@click.option(
    "--also", metavar="KINDS", default="", help="Erase tokens, cookies, credentials, too (names with commas)."
)
@click.option(
    "--keep",
    metavar="NAME",
    multiple=True,
    help="Erase all memory but this: stacks, files, heap, anonymous, or a region's name with *; repeatable.",
)
@click.option(
    "--stack-only", is_flag=True, help="Short for --keep stacks --keep files: what backtraces need."
)
@click.option("--no-harvest", is_flag=True, help="Do not look for keys that only the dump itself names.")
@click.option(
    "--mode",
    type=click.Choice(get_args(Mode)),
    default="quick",
    show_default=True,
    help="As for immure scan.",
)
@THREADS
@click.option(
    "--no-debugger", is_flag=True, help="Do not compare backtraces by a debugger; the record says so."
)
@click.option(
    "--record",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Where the record goes.  [default: OUT.redaction.json]",
)
@click.option(
    "--vault",
    metavar="DIR",
    type=click.Path(),
    help="DUMP is the id (sha256:…) of a dump that is sealed in this vault.",
)
@wrapping_options("vault-")
@click.option(
    "-f", "--format", "form", type=click.Choice(("terminal", "json")), default="terminal", show_default=True
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no notes, no summary.")
def redact(
    dump: str,
    output: str,
    sources: tuple[str, ...],
    allow_private_hosts: bool,
    secret_files: tuple[str, ...],
    sketches: tuple[str, ...],
    also: str,
    keep: tuple[str, ...],
    stack_only: bool,
    no_harvest: bool,
    deep: bool,
    mode: Mode,
    threads: int | None,
    no_debugger: bool,
    record: str | None,
    vault: str | None,
    key_file: str | None,
    passphrase_file: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Write a copy of a crash dump without its private keys.

    The copy is proved before it gets its name: a second scanner that shares no code with the first looks for
    pieces of the keys, what is left of each key is held against what an attacker would need, and a debugger
    must see the same threads and backtraces. If any of this fails there is no copy.
    """
    if stack_only and keep:
        raise click.UsageError("--stack-only and --keep contradict each other")
    record = record or f"{output}.redaction.json"
    for path in (output, record):
        check_writable(path)
    scan = ScanOptions(mode=mode, harvest=not no_harvest, deep=deep, sketches=load_sketches(sketches))
    if threads is not None:
        scan = replace(scan, threads=threads)
    names = ("stacks", "files") if stack_only else keep or ("all",)
    options = _options(scan, also, names, secret_files, debugger=not no_debugger)
    keys = load_all(sources, allow_private_hosts, quiet)

    from immure.redact.redactor import redact_file

    with reporter(quiet=quiet) as progress:
        if vault is None:
            done = beside(lambda: redact_file(dump, output, keys=keys, options=options, progress=progress))
        else:
            sealed = open_vault(vault, key_file, passphrase_file)
            done = beside(lambda: _redact_sealed(sealed, dump, output, keys, options, progress))
    with open_output(record) as stream:
        json.dump(done.to_json(), stream, indent=1)
        stream.write("\n")
    _present(done, output, record, form, quiet)
    return ExitCode.CLEAN


def _redact_sealed(
    vault: Vault,
    identity: str,
    output: str,
    keys: Sequence[PublicKey],
    options: RedactOptions,
    progress: Reporter,
) -> RedactionRecord:
    """A copy of a dump in a vault, of which the digest is known."""
    from immure.redact.record import FileDigest
    from immure.redact.redactor import write_copy

    reader = vault.open_dump(identity)
    try:
        digest = FileDigest(identity.removeprefix("sha256:"), reader.size)
        return write_copy(
            identity, reader, output, keys=keys, options=options, progress=progress, source=digest
        )
    finally:
        reader.close()


def _options(
    scan: ScanOptions, also: str, keep: tuple[str, ...], secret_files: tuple[str, ...], *, debugger: bool
) -> RedactOptions:
    from immure.redact.options import TEXT_GROUPS, NamedSecret, RedactOptions
    from immure.redact.secret_files import read_secret_file

    wanted = {name.strip() for name in also.split(",") if name.strip()}
    if unknown := sorted(wanted.difference(TEXT_GROUPS)):
        raise UsageError(f"unknown kind '{unknown[0]}' for --also; there are {', '.join(TEXT_GROUPS)}")
    known, secrets = [], []
    for path in secret_files:
        read = read_secret_file(path)
        if isinstance(read, NamedSecret):
            secrets.append(read)
        else:
            known += read
    return RedactOptions(
        scan=scan,
        texts=tuple(name for name in TEXT_GROUPS if name in wanted),
        known=tuple(known),
        secrets=tuple(secrets),
        keep=keep,
        debugger=debugger,
    )


def _present(done: RedactionRecord, output: str, record: str, form: str, quiet: bool) -> None:
    if form == "json":
        click.echo(json.dumps(done.to_json(), indent=1))
    elif not quiet:
        for line in summary(done.to_json(), output):
            click.echo(line)
        say(f"the record is in {record}")


def summary(record: dict[str, Any], output: str) -> list[str]:
    """A record in a few lines, for people."""
    from immure.scanning.report.words import bytes_words, visible

    lines = [f"{visible(output)}: redacted copy of {visible(record['path'])} ({record['format']})"]
    count, erased = record["statistics"]["spans"], record["statistics"]["erased_bytes"]
    lines.append(f"  erased    {count} places, {bytes_words(erased)}; every other byte is as it was")
    for finding in record["findings"]:
        key = finding["key"]
        name = f"kid {visible(key['kid'])}" if key["kid"] else f"fingerprint {key['thumbprint']}"
        lines.append(f"  key       {key['kty']} {name}: {finding['occurrences']} occurrences, erased")
    if not record["findings"]:
        lines.append("  key       none found")
    if SKETCH_DETECTOR in record["searched"]["detectors"]:
        lines += [f"  sketches  {visible(words)}" for words in record["warnings"] if "sketch" in words]
    lines += [f"  proved    {words}" for words in proof_words(record["proof"])]
    if gaps := record["not_searched"]:
        total = bytes_words(sum(gap["length"] for gap in gaps))
        lines.append(
            f"  note      quick mode left out {total} for single detectors (a policy may ask for more)"
        )
    lines.append(f"  sha256    {record['output']['sha256']}")
    return lines


def proof_words(proof: dict[str, Any] | None) -> list[str]:
    """What was proved, in words."""
    if proof is None:
        return ["nothing"]
    scan, residue, debugger = proof["scan"], proof["residue"], proof["debugger"]
    pieces = sum(number["left"] for key in residue["keys"] for number in key["bits_left"].values())
    seen = ", ".join(f"{count} {name}" for name, count in debugger["compared"].items())
    if not scan["strings"]:
        return [f"{proof['bytes']['compared_bytes']} bytes compared: nothing differs but what was erased"]
    return [
        f"a second scanner finds no piece of {scan['strings']} writings of their numbers",
        f"bits of them that are left: {pieces}; far too few to rebuild a key",
        f"{proof['bytes']['compared_bytes']} bytes compared: nothing but the erased places differs",
        f"{debugger['reader']} shows the same {seen}"
        if debugger["status"] == "ok"
        else f"NOT compared by a debugger: {debugger['reason']}",
    ]
