"""Scenarios as files, and turns over them."""

from __future__ import annotations

import atexit
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from immure.auditlog.note import parse_vkey
from immure.detections.cycle import Cycle
from immure.detections.key_facts import Knowledge
from immure.detections.outcome import Outcome
from immure.detections.rule import Rule
from immure.detections.rule_files import built_in
from immure.detections.scenario_files import write_scenario
from immure.detections.settings import Input, LedgerInput, Settings
from immure.detections.state import State
from immure.registry.opening import open_store
from immure.synth.scenarios.attackers import scenario
from immure.synth.scenarios.model import Scenario

RULES: list[Rule] = built_in()


def made(name: str, seed: int, directory: Path, *, tokens: int = 120) -> Scenario:
    """A scenario, written to ``directory``."""
    one = scenario(name, seed, tokens=tokens)
    write_scenario(one, directory)
    return one


@cache
def _kept() -> tuple[Scenario, Path]:
    place = Path(mkdtemp(prefix="immure-day-"))
    atexit.register(shutil.rmtree, place)
    return made("stolen-right-key", 12, place / "day", tokens=300), place / "day"


def long_day(directory: Path) -> Scenario:
    """A day with forged tokens and segments enough to take some away; made once, and copied."""
    one, place = _kept()
    shutil.copytree(place, directory)
    return one


def ledger(directory: Path, **changes: Any) -> LedgerInput:
    key = parse_vkey((directory / "log.vkey").read_text().strip())
    return LedgerInput(directory / "segments", directory / "log", key, **changes)


def settings(directory: Path, inputs: Sequence[Path] = (), **changes: Any) -> Settings:
    with open_store(directory / "keys.toml") as store:
        known = Knowledge(store.records())
    paths = inputs or (directory / "accepted",)
    values = {"ledger": ledger(directory), "knowledge": known, "threads": 1, **changes}
    return Settings(RULES, [Input(path) for path in paths], **values)


def turn(directory: Path, state: Path, **changes: Any) -> Outcome:
    with State(state) as opened:
        return Cycle(opened, settings(directory, **changes)).run()


def wanted(one: Scenario) -> Counter[str]:
    """What is true of the acceptances, those that came twice counted once."""
    distinct = {(use.time, use.token.digest) for use in one.uses}
    return Counter(one.truth[digest] for _, digest in distinct)


def forged(outcome: Outcome) -> set[str]:
    return {finding.keys["digest"] for finding in outcome.findings if finding.rule == "token-forged"}


def forged_of(one: Scenario) -> set[str]:
    used = {use.token.digest for use in one.uses}
    return {digest.hex() for digest, verdict in one.truth.items() if verdict == "forged" and digest in used}
