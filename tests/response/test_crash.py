"""Killed anywhere: what was acknowledged is there, of what was not at most one entry; work goes on."""

from __future__ import annotations

import os
import signal
import time
from itertools import count
from pathlib import Path

import pytest

from auditlog.faults import Fault, Hook, hooked
from immure.auditlog import parse_vkey
from immure.custody.signer import Signer
from immure.response.bundle import export, log_key
from immure.response.bundle_verify import verify_bundle
from immure.response.evidence import Collector
from immure.response.incident import Incident
from immure.response.radius import BlastRadius
from immure.response.radius_record import keep_radius
from response.house import Clock, in_child, opened

HOWS = ("before", "after")
#: At every call, which takes its time; and at every so-manieth.
STRIDES = [pytest.param(1, marks=pytest.mark.drill), 4]


def facts(incident: Incident) -> list[int]:
    return [int(str(one.body["number"])) for one in incident.entries() if "number" in one.body]


def of_an_entry(at: int, how: str) -> Hook:
    """Kills at a call; half way, at a write, as nothing else can be done by half."""
    fault = Fault(at, how, kill=True)
    if how != "half":
        return fault
    return lambda name, call, arguments: fault(name, call, arguments) if name == "pwrite" else call()


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_killed_at_any_call_of_an_entry(tmp_path: Path, key: Signer, how: str, stride: int) -> None:
    folder = opened(tmp_path / "incident", key).folder
    done, writes = 0, how == "half"
    for at in count(0 if writes else HOWS.index(how), 1 if writes else stride):
        acknowledged = tmp_path / "acknowledged"
        acknowledged.unlink(missing_ok=True)

        def write(at: int = at, number: int = done, acknowledged: Path = acknowledged) -> None:
            with hooked(of_an_entry(at, how)):
                Incident.load(folder, key=key, clock=Clock()).add("fact", {"number": number}, actor="ann")
            acknowledged.touch()

        killed = in_child(write) == signal.SIGKILL
        found = facts(Incident.load(folder, key=key))
        assert found in ([*range(done)], [*range(done + 1)])
        assert not acknowledged.exists() or len(found) == done + 1
        done = len(found)
        if not killed:
            break
    assert at >= (2 if writes else 20)
    Incident.load(folder, key=key).add("fact", {"number": done}, actor="ann")
    assert facts(Incident.load(folder)) == [*range(done + 1)]


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", HOWS)
def test_killed_at_any_call_of_opening(tmp_path: Path, key: Signer, how: str, stride: int) -> None:
    for at in count(HOWS.index(how), 2 * stride):
        folder = tmp_path / f"incident-{at}"

        def work(at: int = at, folder: Path = folder) -> None:
            with hooked(Fault(at, how, kill=True)):
                opened(folder, key)

        ended = in_child(work)
        made = Incident.load(folder, key=key) if folder.exists() else opened(folder, key)
        assert [one.kind for one in made.entries()] == ["opened", "role"]
        if ended == 0:
            break
    assert at > 20


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", HOWS)
def test_killed_at_any_call_of_the_work(tmp_path: Path, key: Signer, how: str, stride: int) -> None:
    """Evidence, a radius, an export: whoever is killed does it again, and nothing is there twice.

    A few calls are enough in a run of all tests: which ones differs with ``how``, and with what changes.
    """
    (tmp_path / "access.log").write_text("line\n" * 1000)
    radius = BlastRadius("k1", "https://login.example", begin=1, end=2, step=60)
    for at in count(HOWS.index(how), 3 * stride):
        folder = tmp_path / f"incident-{at}"
        opened(folder, key)
        bundle = tmp_path / f"bundle-{at}.tar"

        def work(folder: Path = folder, bundle: Path = bundle) -> None:
            mine = Incident.load(folder, key=key, clock=Clock())
            Collector(mine, "ann").collect(tmp_path / "access.log", "log")
            keep_radius(mine, radius, actor="ann")
            export(mine, bundle, key=key, clock=Clock())

        def killed(at: int = at, work=work) -> None:  # type: ignore[no-untyped-def]
            with hooked(Fault(at, how, kill=True)):
                work()

        ended = in_child(killed)
        if bundle.exists():
            assert (
                verify_bundle(bundle, key=parse_vkey(log_key(Incident.load(folder), key))).verdict == "holds"
            )
        work()
        made = Incident.load(folder, key=key)
        assert [one.kind for one in made.entries()] == ["opened", "role", "evidence", "fact"]
        assert verify_bundle(bundle, key=parse_vkey(log_key(made, key))).verdict == "holds"
        assert verify_bundle(folder, key=parse_vkey(log_key(made, key))).verdict == "holds"
        if ended == 0:
            break
    assert at > 40


def test_killed_at_any_time(tmp_path: Path, key: Signer) -> None:
    """Nobody chooses the moment."""
    folder = opened(tmp_path / "incident", key).folder
    for turn in range(6):
        begin = len(facts(Incident.load(folder)))
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                mine = Incident.load(folder, key=key)
                for number in count(begin):
                    mine.add("fact", {"number": number}, actor="ann")
                    os.write(write, b".")
            finally:
                os._exit(1)
        os.close(write)
        time.sleep(0.02 + 0.02 * turn)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with open(read, "rb") as stream:
            acknowledged = len(stream.read())
        found = facts(Incident.load(folder, key=key))
        assert found == [*range(len(found))]
        assert acknowledged <= len(found) - begin <= acknowledged + 1
    assert found
