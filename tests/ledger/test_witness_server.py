"""Witnesses over HTTP: the real server, our client, and an operator who rewrites history."""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.auditlog import AuditLog, NoteKey
from immure.auditlog.witness import ask_witness
from immure.auditlog.witnessed import check_witnessed, read_witnessed
from immure.errors import LogError
from immure.ledger.errors import LedgerBehindError, LedgerError
from immure.ledger.sqlite_store import SqliteLedger
from immure.ledger.verify import verify_ledger
from immure.ledger.witnesses import Asked, Place, Witnesses
from ledger.making import ISSUER, House, make_log, row
from ledger.test_gap import restore, save
from ledger.witnessing import Running, answering, witness


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def key_of(house: House) -> NoteKey:
    return NoteKey(house.signer.name, house.signer.public_key)


@pytest.fixture
def running(house: House, tmp_path: Path) -> Iterator[Running]:
    with witness(tmp_path / "w", key_of(house)) as made:
        yield made


def ask(house: House, *places: Place, quorum: int | None = None, patience: float = 5.0) -> Asked:
    return Witnesses(places, quorum=quorum, patience=patience).check(house.log)


def post(
    running: Running, body: bytes, path: str = "/add-checkpoint", method: str = "POST"
) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()


def test_each_batch_is_witnessed(house: House, running: Running) -> None:
    witnesses = Witnesses([running.place])
    sealer = house.sealer(witnesses=witnesses)
    for number in range(1, 4):
        house.batch(*house.some(2), sealer=sealer)
        asked = sealer.ask_witnesses()
        assert asked is not None
        assert (asked.state, asked.checkpoint.size) == ("witnessed", number)
        assert sealer.ask_witnesses() is None  # nothing is new
        seen = check_witnessed(read_witnessed(house.logs), key_of(house), [running.place.key], 1)
        assert seen.checkpoint == house.log.checkpoint()


def test_over_http(house: House, running: Running) -> None:
    """Statuses and bodies as the protocol has them."""
    house.batch(row())
    stranger = House(house.directory / "stranger")
    stranger.signer.name = "elsewhere.example"  # type: ignore[misc]
    unknown = make_log(house.directory / "unknown", stranger.signer)
    body = ask_witness(house.log, 0)
    assert post(running, body)[0] == 200
    assert post(running, body) == (409, "text/x.tlog.size", b"1\n")
    assert post(running, ask_witness(unknown, 0))[0] == 404
    assert post(running, ask_witness(stranger.log, 0))[0] == 403
    assert post(running, b"old 2\n\n" + house.log.checkpoint().note)[0] == 400
    assert post(running, b"\xff" * 100)[0] == 400
    assert post(running, bytes(1 << 20))[0] == 413
    assert post(running, b"", method="GET")[0] == 405
    assert post(running, b"", path="/")[0] == 404
    assert post(running, b"", path="/healthz", method="GET")[0] == 200
    assert running.stop() == 0
    events = [json.loads(line) for line in running.log.read_text().splitlines() if line[:1] == "{"]
    assert [one["event"] for one in events].count("signed") == 1
    assert {one.get("status") for one in events} >= {400, 403, 404, 409}


def test_it_remembers_when_it_is_killed(house: House, running: Running) -> None:
    house.batch(row())
    ask(house, running.place)
    running.kill()
    running.start()
    assert post(running, ask_witness(house.log, 0)) == (409, "text/x.tlog.size", b"1\n")
    house.batch(*house.some(1))
    assert ask(house, running.place).state == "witnessed"


def rebuild(house: House, rows: list[tuple[int, str]]) -> None:
    """The operator, who has all keys but the witness's, writes database and log anew; they agree."""
    house.store.close()
    for left in house.directory.glob("ledger.db*"):
        left.unlink()
    kept = (house.logs / "checkpoint.witnessed").read_bytes()
    shutil.rmtree(house.logs)
    house.log = make_log(house.logs, house.signer, house.times.now)
    (house.logs / "checkpoint.witnessed").write_bytes(kept)
    house.store = SqliteLedger(house.path, create=True)
    for count, subject in rows:
        house.batch(*house.some(count, subject=subject))


def verify_with(house: House, running: Running) -> None:
    """What somebody does who trusts the witness only."""
    seen = check_witnessed(read_witnessed(house.logs), key_of(house), [running.place.key], 1)
    log = AuditLog.open(house.logs, known=seen.checkpoint)
    verify_ledger(house.store, log.entries())


@pytest.mark.parametrize("rows", [[(2, "eve")], [(2, "eve"), (2, "eve")], [(2, "eve")] * 5])
def test_a_history_that_was_rewritten(house: House, running: Running, rows: list[tuple[int, str]]) -> None:
    """Shorter, as long, and longer than what the witness saw: everything agrees but with the witness."""
    for _ in range(2):
        house.batch(*house.some(2))
    ask(house, running.place)
    verify_with(house, running)
    rebuild(house, rows)
    house.verify()  # by itself it is whole
    with pytest.raises(LogError):
        verify_with(house, running)
    with pytest.raises(LedgerError):
        ask(house, running.place)
    state = {path.suffix for path in running.state.iterdir()}
    assert (".fork-2" in state) == (len(rows) == 2)  # the proof, where there is one


def test_rows_that_were_changed(house: House, running: Running) -> None:
    house.batch(*house.some(2))
    ask(house, running.place)
    database = sqlite3.connect(house.path)
    database.execute("DROP TRIGGER tokens_stay")
    database.execute("UPDATE tokens SET sub = 'eve'")
    database.commit()
    database.close()
    with pytest.raises(LedgerError, match="not those"):
        verify_with(house, running)


def test_rolled_back_with_all_that_witnesses_signed(house: House, running: Running) -> None:
    """An older copy of all is whole, and witnessed; only its age tells, or the witness that is asked."""
    house.batch(*house.some(2))
    ask(house, running.place)
    older = shutil.copytree(house.logs, house.directory / "older")
    rows = save(house)
    house.batch(*house.some(2))
    ask(house, running.place)
    restore(house, rows)
    shutil.rmtree(house.logs)
    shutil.copytree(older, house.logs)
    house.log = house.open_log()
    verify_with(house, running)
    with pytest.raises(LedgerBehindError, match="older copy"):
        ask(house, running.place)
    seen = check_witnessed(read_witnessed(house.logs), key_of(house), [running.place.key], 1)
    seen.check_age(1, seen.time + 60, 60)
    with pytest.raises(LogError, match="0 witnesses have signed within 59 s"):
        seen.check_age(1, seen.time + 60, 59)


def test_quorum_of_several(house: House, tmp_path: Path) -> None:
    """One is down: with two of three it goes on; with all of three it says that it is not witnessed."""
    logs = key_of(house)
    with (
        witness(tmp_path / "a", logs, name="a.example") as a,
        witness(tmp_path / "b", logs, name="b.example") as b,
        witness(tmp_path / "c", logs, name="c.example") as c,
    ):
        places = [a.place, b.place, c.place]
        house.batch(row())
        assert ask(house, *places).state == "witnessed"
        c.kill()
        house.batch(*house.some(1))
        asked = ask(house, *places, quorum=2)
        assert (asked.state, asked.signed) == ("witnessed", 2)
        assert "c.example unreachable" in asked.words()
        house.batch(*house.some(1))
        asked = ask(house, *places)
        assert (asked.state, asked.signed) == ("not-witnessed", 2)
        assert asked.words().startswith("NOT WITNESSED: 2 of 3")
        keys = [one.key for one in places]
        seen = check_witnessed(read_witnessed(house.logs), logs, keys, 2)
        assert seen.checkpoint.size == 2  # what enough have signed stays
        with pytest.raises(LogError, match="signed by 2 witnesses, and 3"):
            check_witnessed(read_witnessed(house.logs), logs, keys, 3)
        c.start()
        assert ask(house, *places).state == "witnessed"


def test_two_forks_shown_to_two_witnesses(house: House, tmp_path: Path) -> None:
    """A quorum of more than half is never reached by both."""
    logs = key_of(house)
    with (
        witness(tmp_path / "a", logs, name="a.example") as a,
        witness(tmp_path / "b", logs, name="b.example") as b,
        witness(tmp_path / "c", logs, name="c.example") as c,
    ):
        fork = House(tmp_path / "fork")
        fork.signer, fork.log = house.signer, make_log(tmp_path / "forked", house.signer)
        house.batch(row())
        fork.batch(row(subject="eve"))
        places = [a.place, b.place, c.place]
        ask(house, a.place, b.place)
        ask(fork, c.place)
        assert ask(house, *places, quorum=2).state == "witnessed"
        with pytest.raises(LedgerError, match="rewritten"):
            ask(fork, *places, quorum=2)


ANSWERS = [
    ("nothing", b"", "unreachable"),
    ("no HTTP", b"hello\r\n\r\n", "unreachable"),
    ("an error", b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "unreachable"),
    ("elsewhere", b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", "unreachable"),
    ("too long", b"HTTP/1.1 200 OK\r\n\r\n" + bytes(70 << 10), "unreachable"),
    ("no signature", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno\n", "refuses"),
    ("no UTF-8", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff", "refuses"),
    ("another key", b"HTTP/1.1 200 OK\r\n\r\n" + "— witness.example AAAAAAAAAAA=\n".encode(), "refuses"),
    ("unknown log", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "refuses"),
    ("a size that is none", b"HTTP/1.1 409 C\r\nContent-Type: text/x.tlog.size\r\n\r\n-1\n", "unreachable"),
    ("a size of another type", b"HTTP/1.1 409 C\r\nContent-Type: text/html\r\n\r\n7\n", "unreachable"),
    ("a newer log", b"HTTP/1.1 409 C\r\nContent-Type: text/x.tlog.size\r\n\r\n77\n", "contradicts"),
    ("another log", b"HTTP/1.1 422 U\r\nContent-Length: 0\r\n\r\n", "contradicts"),
]


@pytest.mark.parametrize(("what", "answer", "kind"), ANSWERS, ids=[what for what, _, _ in ANSWERS])
def test_answers_that_are_none(house: House, what: str, answer: bytes, kind: str) -> None:
    """Two witnesses, one of them odd, and a quorum of one: whatever it says, the ledger goes on."""
    from auditlog.helpers import SoftwareSigner
    from immure.auditlog.cosignature import CosignatureKey

    house.batch(row())
    key = CosignatureKey("witness.example", SoftwareSigner(2, "witness.example").public_key)
    with answering(answer) as url:
        asked = Witnesses([Place(key, url)], patience=3).ask(house.log)
    assert asked is not None
    assert [one.kind for one in asked.outcomes] == [kind]
    assert asked.state == ("contradicted" if kind == "contradicts" else "not-witnessed")


def test_a_witness_that_does_not_answer(house: House) -> None:
    from auditlog.helpers import SoftwareSigner
    from immure.auditlog.cosignature import CosignatureKey

    house.batch(row())
    key = CosignatureKey("witness.example", SoftwareSigner(2, "witness.example").public_key)
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", wait=3) as url:
        asked = ask(house, Place(key, url), patience=0.3)
    assert asked.words().startswith("NOT WITNESSED: 0 of 1 witnesses have signed 1 entries, 1 needed; ")
    assert "witness.example unreachable (cannot be reached" in asked.words()


def test_issuing_goes_on_without_witnesses(house: House, running: Running) -> None:
    """It is no error at the start either; but one that has seen more than the log is."""
    witnesses = Witnesses([running.place])
    sealer = house.sealer(witnesses=witnesses)
    house.batch(row(), sealer=sealer)
    running.kill()
    asked = sealer.check()
    assert asked is not None
    assert asked.state == "not-witnessed"
    house.batch(*house.some(1), sealer=sealer)
    assert house.verify()[ISSUER][1] == 2
