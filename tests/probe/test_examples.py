"""The mailboxes in ``examples/relying_parties``, started as the examples start them, and probed.

Two do what their libraries document, with one set of keys for all issuers, and leave it to the application to
ask which key may sign for whom; they do not ask. What is looked at here is that, and nothing else of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from immure.probe.case import chosen
from immure.probe.catalogue import CATALOGUE
from immure.probe.kit import Kit
from immure.probe.result import ProbeReport, Verdict
from immure.probe.run import Probe
from immure.probe.target import How, open_channel, parse_target

from .parties import at_once

EXAMPLES = Path(__file__).parents[2] / "examples" / "relying_parties"
#: What nobody asks who takes the key that the token names out of a shared set.
INCIDENT = {"scope.incident", "scope.other-tenants-key", "scope.unscoped-key", "scope.expired-key"}


@contextmanager
def started(name: str, kit: Path) -> Iterator[str]:
    arguments = [sys.executable, str(EXAMPLES / f"{name}.py"), str(kit)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def probed(name: str, kit: Kit, directory: Path, *groups: str) -> ProbeReport:
    with started(name, directory) as url:
        channel = open_channel(parse_target(url, ["127.0.0.1"]), How())
        return Probe(channel, kit, chosen(CATALOGUE, groups), pace=at_once()).run()


@pytest.mark.parametrize("name", ["on_pyjwt", "on_joserfc"])
def test_a_shared_set_of_keys_lets_the_incident_in(name: str, kit: Kit, kit_directory: Path) -> None:
    report = probed(name, kit, kit_directory, "scope", "alg.none*", "hmac", "injected")
    assert report.verdict is Verdict.LET_IN
    holes = {one.case.id for one in report.holes}
    assert holes >= INCIDENT
    assert {one.case.group for one in report.holes} == {"scope"}


def test_ours_lets_nothing_in(kit: Kit, kit_directory: Path) -> None:
    report = probed("on_immure", kit, kit_directory)
    assert report.verdict is Verdict.NOTHING
    assert len(report.results) == len(CATALOGUE)


def test_the_script_names_the_mailboxes() -> None:
    command = [sys.executable, str(EXAMPLES / "probe_one.py"), "nothing"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "on_immure, on_joserfc, on_pyjwt" in done.stderr


@pytest.mark.parametrize(("name", "code"), [("on_immure", 0), ("on_pyjwt", 1)])
def test_the_script_starts_one_and_probes_it(name: str, code: int) -> None:
    command = [sys.executable, str(EXAMPLES / "probe_one.py"), name, "--only", "scope", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["channel"] == "http"
