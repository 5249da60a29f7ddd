"""Options of ``immure respond blast-radius``, and what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.registry.record import KeyRecord
    from immure.response.finding import Finding
    from immure.response.radius_settings import Party, RadiusSettings

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
#: The base64url of a SHA-256, as RFC 7638 has it.
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_PROBE = "https://immure.example/schemas/probe-report-1.json"

_OPTIONS = [
    click.option("--accepted", metavar="PATH", multiple=True, type=_FILE, help="Logs of accepted tokens."),
    click.option("--logs", metavar="PATH", multiple=True, type=_FILE,
                 help="Logs of mailboxes; of what kind is told by their beginning."),
    click.option("--source", metavar="NAME", default="", help="Of what kind all --logs are."),
    click.option("--state", "state_path", metavar="DIR", type=_FILE,
                 help='What "immure detect run --state" keeps, in place of logs.'),
    click.option("--issued", metavar="DIR", type=_FILE, help='Segments, of "immure ledger export".'),
    click.option("--log", "log_path", metavar="DIR", type=_FILE, help="The ledger's log."),
    click.option("--log-key", metavar="KEY", help="Public key of the ledger's log; or its file."),
    click.option("--unsigned", is_flag=True, help="Believe the segments, without a log."),
    click.option("--registry", metavar="STORE", help="The registry of keys."),
    click.option("--kid", help="Another key than the incident's.  [default: the incident's]"),
    click.option("--issuer", help="Its issuer.  [default: the incident's]"),
    click.option("--relying-party", "parties", metavar="NAME[=AUDIENCE]", multiple=True,
                 help="A relying party, as its log names it, also if there is no log of it."),
    click.option("--policy", "policies", metavar="NAME=FILE", multiple=True,
                 help="The token policy of a relying party."),
    click.option("--probed", metavar="NAME=FILE", multiple=True,
                 help="A report of immure probe (JSON) on a relying party."),
    click.option("--tenant", "tenants", metavar="ID", multiple=True,
                 help="A tenant that there is, also if no log names it."),
    click.option("--tenants", "tenants_file", metavar="FILE", type=_FILE, help="Tenants, one a line."),
    click.option("--app", "apps", metavar="ID", multiple=True,
                 help="Mailbox records of this application are the thief's."),
    click.option("--address", "addresses", metavar="IP", multiple=True,
                 help="Mailbox records from this address are the thief's."),
    click.option("--from", "begin", metavar="TIME",
                 help="From when on.  [default: since the key was taken, or active]"),
    click.option("--to", "end", metavar="TIME", help="Until when.  [default: the end of today, UTC]"),
    click.option("--silence", metavar="HOURS", type=click.FloatRange(1 / 60, 8760), default=24.0,
                 show_default=True, help="A log without a row for so long is silent: unknown."),
    click.option("--tokens", "tokens_path", metavar="FILE", type=_FILE,
                 help="Write every token that counts there, too: Parquet, or CSV for a name in .csv."),
    click.option("--memory", metavar="SIZE", default="256MB", show_default=True, help="Cap of the engine."),
    click.option("--threads", metavar="N", type=click.IntRange(1, 1024), help="Of the engine."),
]  # fmt: skip


def radius_options(command: F) -> F:
    """All of them, on a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def radius_settings(finding: Finding, given: dict[str, Any], now: int) -> RadiusSettings:
    """What the options ask for.

    Args:
        finding: that the incident was opened on.
        given: the options.
        now: seconds since 1970.

    Raises:
        UsageError: they cannot be so, or the key is named by its thumbprint and there is no registry to ask
            what it is called in tokens.
    """
    from immure.response.radius_logs import records_of
    from immure.response.radius_settings import RadiusSettings

    kid, issuer = given["kid"] or finding.kid, given["issuer"] or finding.issuer
    record: KeyRecord | None = None
    namesakes: tuple[KeyRecord, ...] = ()
    if given["registry"] is not None:
        from immure.registry.opening import open_store

        with open_store(given["registry"]) as store:
            record, namesakes = records_of(store.records(), kid, issuer)
        if record is None:
            words = f"the registry has no key {kid[:80]!a}, or several: give --issuer, or no --registry"
            raise UsageError(words, path=given["registry"])
    elif given["kid"] is None and _THUMBPRINT.fullmatch(kid):
        raise UsageError(
            f"the incident names its key by what looks like a thumbprint, which no log has: {kid}; give"
            " --registry, or --kid with the same if its issuer's key set calls it so"
        )
    # not this second: the same logs are to give the same radius, or each run would be a correction
    end = (now // 86_400 + 1) * 86_400 if given["end"] is None else moment_of(given["end"], "--to")
    begin = None if given["begin"] is None else moment_of(given["begin"], "--from")
    if begin is not None and begin >= end:
        raise UsageError("--from is not before --to")
    return RadiusSettings(
        kid=kid if record is None else record.kid,
        issuer=issuer or (record.issuer if record is not None else None) or "",
        record=record,
        namesakes=namesakes,
        begin=begin,
        end=end,
        parties=tuple(_parties(given)),
        tenants=tuple(_tenants(given)),
        apps=given["apps"],
        addresses=given["addresses"],
        silence=max(1, round(given["silence"] * 3600)),
        memory=given["memory"],
        threads=given["threads"],
        tokens=given["tokens_path"],
    )


def moment_of(text: str, option: str) -> int:
    """A time (RFC 3339) or day as seconds since 1970; raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
        seconds = int((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp())
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} is a time as 2026-11-25T01:02:03Z, or a day") from error
    return seconds


def _parties(given: dict[str, Any]) -> Iterable[Party]:
    from immure.response.radius_settings import Party
    from immure.tokens.policy_file import read_policy

    audiences = dict(_pair(text) for text in given["parties"])
    policies = dict(_named(text, "--policy") for text in given["policies"])
    probes = dict(_named(text, "--probed") for text in given["probed"])
    for name in dict.fromkeys([*audiences, *policies, *probes]):
        policy = read_policy(policies[name]) if name in policies else None
        probe = _object(Path(probes[name])) if name in probes else None
        if probe is not None and probe.get("schema") != _PROBE:
            raise UsageError("is no report of immure probe", path=probes[name])
        yield Party(name, audiences.get(name, ""), policy, probe)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _named(text: str, option: str) -> tuple[str, str]:
    name, value = _pair(text)
    if not name or not value:
        raise UsageError(f"{option} is NAME=FILE")
    return name, value


def _tenants(given: dict[str, Any]) -> Iterable[str]:
    yield from given["tenants"]
    path: Path | None = given["tenants_file"]
    if path is not None:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("cannot be read as lines of text", path=str(path)) from error
        yield from (line.strip() for line in lines if line.strip())


def _object(path: Path, most: int = 64 << 20) -> dict[str, Any]:
    """An object of JSON in a file; raises UsageError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
        value = json.loads(data) if len(data) <= most else None
    except OSError as error:
        raise UsageError(error.strerror or str(error), path=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("is no JSON", path=str(path)) from error
    if not isinstance(value, dict):
        raise UsageError("is no object of JSON, or too long", path=str(path))
    return value
