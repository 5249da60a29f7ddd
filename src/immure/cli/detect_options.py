"""Options of ``immure detect run``, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.exit_codes import FAIL_ON
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.detections.key_facts import Knowledge
    from immure.detections.rule import Rule
    from immure.detections.settings import Input, LedgerInput, Settings

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
SEVERITIES = ("info", "low", "medium", "high", "critical")
FORMATS = ("terminal", "json", "ocsf", "sarif", "html")

_OPTIONS = [
    click.option("--accepted", metavar="PATH", multiple=True, type=_FILE, help="Logs of accepted tokens."),
    click.option("--logs", metavar="PATH", multiple=True, type=_FILE,
                 help="Logs of mailboxes and sign-ins; of what kind is told by their beginning."),
    click.option("--source", metavar="NAME", default="", help="Of what kind all --logs are."),
    click.option("--mapped", metavar="PATH", multiple=True, type=_FILE,
                 help="Logs that --mapping describes."),
    click.option("--mapping", metavar="FILE", type=_FILE, help="What the columns of --mapped mean (TOML)."),
    click.option("--issued", metavar="DIR", type=_FILE, help='Segments, of "immure ledger export".'),
    click.option("--log", "log_path", metavar="DIR", type=_FILE, help="The ledger's log."),
    click.option("--log-key", metavar="KEY", help="Public key of the log; or its file."),
    click.option("--unsigned", is_flag=True, help="Believe the segments, without a log."),
    click.option("--rows/--no-rows", "rows", default=True, show_default=True,
                 help="Hold each row against the log."),
    click.option("--registry", metavar="STORE", help="The registry of keys."),
    click.option("--policy", metavar="FILE", type=_FILE,
                 help="Token policy: which class each audience is of."),
    click.option("--lifetime", "lifetimes", metavar="[ISSUER=]SECONDS", multiple=True,
                 help="Of the longest-lived token; by default learned from the ledger."),
    click.option("--key-life", metavar="DAYS", type=click.FloatRange(0, min_open=True),
                 help="For which a key may sign."),
    click.option("--skew", metavar="SECONDS", type=click.IntRange(0, 86400), default=300, show_default=True,
                 help="By which clocks may differ."),
    click.option("--counter", metavar="FILE", type=_FILE,
                 help="Readings of an HSM's counter of signatures (CSV)."),
    click.option("--rules", "rule_paths", metavar="PATH", multiple=True, type=_FILE, help="More rules."),
    click.option("--only", metavar="ID,...", default="", help="Only these rules."),
    click.option("--skip", metavar="ID,...", default="", help="All but these rules."),
    click.option("--baseline", metavar="DAYS", type=click.FloatRange(0, min_open=True), default=14.0,
                 show_default=True, help="Of mailbox records that count as usual."),
    click.option("--memory", metavar="SIZE", default="256MB", show_default=True, help="Cap of the engine."),
    click.option("--threads", metavar="N", type=click.IntRange(1, 1024), help="Of the engine."),
    click.option("--state", "state_path", metavar="DIR", type=_FILE,
                 help="Keep what was read and found, and go on from there."),
    click.option("--follow", is_flag=True, help="Go on until stopped; needs --state."),
    click.option("--every", metavar="SECONDS", type=click.FloatRange(0.1, 86400), default=10.0,
                 show_default=True, help="From one look to the next."),
    click.option("--findings", "findings_path", metavar="FILE", type=_FILE,
                 help="Append each new finding as a line of JSON; needs --state."),
    click.option("--webhook", metavar="URL", help="POST new findings there (https, OCSF); needs --state."),
    click.option("--webhook-token-file", metavar="FILE", type=click.Path(),
                 help="Bearer token of the webhook."),
    click.option("--webhook-ca-file", metavar="FILE", type=click.Path(), help="Certificates to trust there."),
    click.option("--private-hosts", is_flag=True, help="Let the webhook be at a private address."),
    click.option("--loopback", is_flag=True, help="Let the webhook be on this machine."),
    click.option("--syslog", metavar="URL", help="Send new findings to udp://HOST:PORT or tcp://HOST:PORT."),
    click.option("-f", "--format", "form", type=click.Choice(FORMATS), default="terminal", show_default=True),
    click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where the report goes."),
    click.option("--least", type=click.Choice(SEVERITIES), default="medium", show_default=True,
                 help="Severity from which on a finding makes the exit code 1."),
    click.option("--fail-on", type=click.Choice(FAIL_ON), default="incomplete", show_default=True,
                 help="What makes the exit code other than 0."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but the report, and no progress."),
]  # fmt: skip


def run_options(command: F) -> F:
    """All of them, on a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_of(given: dict[str, Any]) -> Settings:
    """What the options ask for.

    Raises:
        UsageError: they cannot be so.
    """
    from immure.detections.counter import read_readings
    from immure.detections.settings import Settings
    from immure.errors import InputError

    inputs = _inputs(given)
    if not inputs and given["issued"] is None:
        raise UsageError("nothing to look at: --accepted, --logs, --mapped or --issued")
    try:
        readings = None if given["counter"] is None else read_readings(given["counter"])
    except InputError as error:
        raise UsageError(error.reason, path=error.path) from error
    return Settings(
        rules=_rules(given),
        inputs=inputs,
        ledger=_ledger(given),
        knowledge=_knowledge(given),
        readings=readings,
        baseline_days=given["baseline"],
        memory=given["memory"],
        threads=given["threads"],
        ended=not given["follow"],
    )


def _inputs(given: dict[str, Any]) -> list[Input]:
    from immure.detections.settings import Input

    if bool(given["mapped"]) != (given["mapping"] is not None):
        raise UsageError("--mapped and --mapping are given together")
    made = [Input(path) for path in given["accepted"]]
    made += [Input(path, given["source"]) for path in given["logs"]]
    made += [Input(path, mapping=given["mapping"]) for path in given["mapped"]]
    for one in made:
        if not one.path.exists():
            raise UsageError("is not there", path=str(one.path))
    return made


def _ledger(given: dict[str, Any]) -> LedgerInput | None:
    from immure.cli.log import read_key
    from immure.detections.settings import LedgerInput

    if given["issued"] is None:
        if given["log_path"] is not None or given["counter"] is not None:
            raise UsageError("--log and --counter need --issued")
        return None
    if (given["log_path"] is None) != (given["log_key"] is None):
        raise UsageError("--log and --log-key are given together")
    if (given["log_path"] is None) != given["unsigned"]:
        raise UsageError("--issued needs --log and --log-key, or --unsigned")
    key = None if given["log_key"] is None else read_key(given["log_key"])
    return LedgerInput(given["issued"], given["log_path"], key, given["rows"])


def _knowledge(given: dict[str, Any]) -> Knowledge:
    from immure.detections.key_facts import Knowledge

    records = None
    if given["registry"] is not None:
        from immure.registry.opening import open_store

        with open_store(given["registry"]) as store:
            records = store.records()
    audiences = {}
    if given["policy"] is not None:
        from immure.tokens.policy_file import read_policy

        audiences = dict(read_policy(given["policy"]).audiences)
    life = given["key_life"]
    return Knowledge(
        records, audiences, dict(_lifetime(one) for one in given["lifetimes"]),
        None if life is None else int(life * 86400), given["skew"],
    )  # fmt: skip


def _lifetime(text: str) -> tuple[str, int]:
    issuer, _, number = text.rpartition("=")
    if not number.isascii() or not number.isdigit() or len(number) > 12:
        raise UsageError("--lifetime is SECONDS, or ISSUER=SECONDS")
    return issuer, int(number)


def _rules(given: dict[str, Any]) -> list[Rule]:
    from immure.detections.rule_files import all_rules

    rules = all_rules(given["rule_paths"])
    only, skip = _names(given["only"]), _names(given["skip"])
    unknown = (only | skip) - {rule.id for rule in rules}
    if unknown:
        raise UsageError(f"there is no rule {min(unknown)!a}")
    return [rule for rule in rules if (not only or rule.id in only) and rule.id not in skip]


def _names(text: str) -> set[str]:
    return {one.strip() for one in text.split(",") if one.strip()}
