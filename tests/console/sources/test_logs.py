"""Logs: how a checkpoint stands, and what a verification finds."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.auditlog import AuditLog, NoteKey, verify_log
from immure.console.settings import LogPlace
from immure.console.sources import logs
from immure.console.sources.logs import Logs
from immure.errors import UsageError

ORIGIN = "logs.example/gate"


class Signer:
    name = ORIGIN

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public_key = self._key.public_key().public_bytes_raw()
        self.sign = self._key.sign

    @property
    def vkey(self) -> str:
        return NoteKey(self.name, self.public_key).to_vkey() + "\n"


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def log(tmp_path: Path, signer: Signer) -> AuditLog:
    (tmp_path / "key").write_text(signer.vkey)
    made = AuditLog.create(tmp_path / "log", origin=ORIGIN, signer=signer)
    for number in range(5):
        made.append("gate.deny", {"number": number})
    return made


@pytest.fixture
def looked(tmp_path: Path, log: AuditLog) -> Iterator[Logs]:
    made = Logs((LogPlace("gate", tmp_path / "log", tmp_path / "key"),), tmp_path / "kept")
    yield made
    made.close()


def verified(looked: Logs, name: str = "gate") -> logs.Outcome:
    looked.verify(name, patience=30)
    state = looked.state(name)
    assert state is not None
    assert state.outcome is not None
    assert state.running is None
    return state.outcome


def test_a_log_that_holds(looked: Logs, log: AuditLog) -> None:
    before = looked.stamp()
    (state,) = looked.states()
    assert (state.standing.signed, state.standing.error, state.outcome) == (True, "", None)
    assert state.standing.checkpoint == log.checkpoint()
    outcome = verified(looked)
    assert (outcome.held, outcome.size) == (True, 5)
    assert outcome.words.startswith("VERIFIED")
    assert looked.stamp() != before
    log.append("gate.allow", {})
    assert verified(looked).size == 6


def _flip(path: Path) -> None:
    entries = path / "log" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"number":3', b'"number":4'))


def _cut(path: Path) -> None:
    entries = path / "log" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes()[:-10])


def _kept(path: Path, note: bytes) -> None:
    looked = Logs((LogPlace("gate", path / "log", path / "key"),), path / "kept")
    verified(looked)
    looked.close()
    (kept,) = (path / "kept").iterdir()
    kept.write_bytes(note)


@pytest.mark.parametrize(
    ("break_it", "signed", "held", "words"),
    [
        (_flip, True, False, "entry 3 of 5"),
        (_cut, True, False, "cut short"),
        (lambda path: (path / "key").write_text(Signer().vkey), False, False, "key"),
        (lambda path: (path / "key").write_text("rubbish"), False, None, "NOT VERIFIED"),
        (lambda path: (path / "key").unlink(), False, None, "No such file"),
        (lambda path: shutil.rmtree(path / "log"), None, None, "No such file"),
        (lambda path: (path / "log" / "checkpoint").write_text("rubbish"), None, False, "note"),
        (lambda path: (path / "log" / "entries.jsonl").unlink(), True, None, "No such file"),
        (lambda path: _kept(path, b"rubbish"), True, None, "NOT VERIFIED"),
    ],
    ids=[
        "altered",
        "cut",
        "other key",
        "no key in it",
        "key gone",
        "log gone",
        "checkpoint",
        "entries gone",
        "kept",
    ],
)
def test_a_log_that_does_not(
    looked: Logs,
    tmp_path: Path,
    break_it: Callable[[Path], Any],
    signed: bool | None,
    held: bool | None,
    words: str,
) -> None:
    break_it(tmp_path)
    outcome = verified(looked)
    (state,) = looked.states()
    assert (state.standing.signed, outcome.held) == (signed, held)
    assert words in outcome.words


def test_a_log_that_was_put_back(looked: Logs, log: AuditLog, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    log.append("gate.allow", {"what": "the crown jewels"})
    assert verified(looked).held is True
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "old").rename(tmp_path / "log")
    outcome = verified(looked)
    assert outcome.held is False
    assert "put back" in outcome.words
    # a console that keeps nothing does not notice
    other = Logs((LogPlace("gate", tmp_path / "log", tmp_path / "key"),), None)
    assert verified(other).held is True
    other.close()


def test_another_key_begins_anew(looked: Logs, tmp_path: Path) -> None:
    assert verified(looked).held is True
    shutil.rmtree(tmp_path / "log")
    other = Signer()
    AuditLog.create(tmp_path / "log", origin=ORIGIN, signer=other)
    assert verified(looked).held is False
    (tmp_path / "key").write_text(other.vkey)
    assert verified(looked).held is True


def test_who_signed_it_is_not_guessed(tmp_path: Path, log: AuditLog) -> None:
    looked = Logs((LogPlace("gate", tmp_path / "log", None),), None)
    (state,) = looked.states()
    assert (state.standing.signed, state.standing.error) == (None, "")
    with pytest.raises(UsageError, match="name no key"):
        looked.verify("gate", patience=1)
    looked.close()


def test_a_long_verification_goes_on_beside(looked: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    go, calls = threading.Event(), list[int]()

    def slow(*args: Any, **named: Any) -> Any:
        calls.append(1)
        assert go.wait(30)
        return verify_log(*args, **named)

    monkeypatch.setattr(logs, "verify_log", slow)
    for _ in range(3):  # whoever asks again does not begin another one
        looked.verify("gate", patience=0.01)
    (state,) = looked.states()
    assert state.running is not None
    assert state.outcome is None
    go.set()
    looked.verify("gate", patience=30)
    assert looked.states()[0].outcome is not None
    assert len(calls) <= 2


def test_a_fault_of_ours_is_seen(looked: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(logs, "verify_log", broken)
    with pytest.raises(ZeroDivisionError):
        looked.verify("gate", patience=30)
    outcome = looked.states()[0].outcome
    assert outcome is not None
    assert outcome.held is None
    assert "itself has failed" in outcome.words


def test_names_of_checkpoints_stay_in_their_directory(tmp_path: Path, log: AuditLog) -> None:
    looked = Logs((LogPlace("../../x/Ä", tmp_path / "log", tmp_path / "key"),), tmp_path / "kept")
    assert verified(looked, "../../x/Ä").held is True
    assert [one.name[:10] for one in (tmp_path / "kept").iterdir()] == [".._.._x__-"]
    looked.close()
