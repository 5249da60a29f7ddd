"""``immure respond evidence``: files into the incident, with their digests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.respond_options import (
    BY,
    EXIT_CODES,
    FORMAT,
    INCIDENT,
    KEY,
    QUIET,
    say_entry,
    tsa_of,
    tsa_options,
    writing,
)
from immure.cli.vault import open_vault, wrapping_options
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.vault import Vault

KINDS = ("log", "configuration", "jwks", "report", "message", "image")

_EPILOG = f"""
Images (crash dumps, memory dumps) are sealed in a vault, and only their digests come into the incident.

\b
Examples:
  immure respond evidence incident access.log --kind log --key file:incident.key
  immure respond evidence incident app.core --kind image --vault /var/lib/immure/vault --key file:incident.key
  immure respond evidence incident --jwks https://login.example/keys --key file:incident.key
  immure respond evidence incident mail.eml --kind message --tsa http://tsa.example --tsa-ca tsa.pem \\
      --key file:incident.key
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@INCIDENT
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(KINDS), default="log", show_default=True, help="What the files are."
)
@click.option("--jwks", metavar="URL", multiple=True, help="Fetch a key set, and keep it as it is now.")
@click.option("--private-hosts", is_flag=True, help="Let its host be at a private address.")
@click.option("--source", help="From where the files are.  [default: their paths]")
@click.option("--vault", "vault_path", metavar="DIR", help="Where images are sealed.")
@wrapping_options("vault-")
@tsa_options
@KEY
@BY
@FORMAT
@QUIET
def evidence(
    folder: Path,
    files: tuple[Path, ...],
    kind: str,
    jwks: tuple[str, ...],
    private_hosts: bool,
    source: str | None,
    vault_path: str | None,
    key_file: str | None,
    passphrase_file: str | None,
    uri: str,
    actor: str,
    form: str,
    quiet: bool,
    **tsa: Any,
) -> int:
    """Collect evidence: copy files with their SHA-256, fetch key sets, seal images.

    What is there already is not taken up a second time. With --tsa, an authority says of each piece that it
    was there now (RFC 3161).
    """
    from immure.response.evidence import Collector

    if not files and not jwks:
        raise UsageError("nothing to collect: name files, or --jwks")
    vault = _vault(vault_path, key_file, passphrase_file, kind)
    with writing(folder, uri, quiet) as incident:
        collector = Collector(incident, actor, tsa=tsa_of(**tsa), vault=vault)
        for path in files:
            say_entry(incident, collector.collect(path, kind, source=source), form, quiet)
        for url in jwks:
            data = _fetched(url, private_hosts)
            entry = collector.collect_bytes(data, "jwks", name="jwks.json", source=url)
            say_entry(incident, entry, form, quiet)
    return ExitCode.CLEAN


def _vault(path: str | None, key_file: str | None, passphrase_file: str | None, kind: str) -> Vault | None:
    if kind != "image":
        return None
    if path is None:
        raise UsageError("images are sealed, never copied in the clear: give --vault")
    return open_vault(path, key_file, passphrase_file)


def _fetched(url: str, private_hosts: bool) -> bytes:
    """A key set as it is served now; raises UsageError if it has a private key in it."""
    from immure.keymaterial.sources_http import HttpsFetcher, is_loopback_url
    from immure.response.key_set_snapshot import check_snapshot

    fetcher = HttpsFetcher(allow_private_hosts=private_hosts, allow_loopback=is_loopback_url(url))
    data = fetcher(url)
    check_snapshot(data, url)
    return data
