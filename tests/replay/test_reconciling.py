"""Accepted minus issued, by the detection room and by the ledger alone: both must say the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immure.auditlog import AuditLog
from immure.custody import open_signer
from immure.custody.note_signer import NoteSigner
from immure.detections import cycle
from immure.digest import signed_digest
from immure.errors import ImmureError, InputError, LogError
from immure.ledger.opening import open_ledger
from immure.ledger.row import Issued
from immure.ledger.sealing import Sealer
from immure.replay import reconciling
from immure.replay.errors import ReplayError
from immure.replay.issuers import CONSUMER, Issuer
from immure.replay.reconciling import ByDetection, ByLedger, Reconciliation, reconciliation
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.log import AcceptanceLog

NOW = 1_790_000_000
Made = Callable[[Path], Reconciliation]


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """An issuer that has issued one token, and whose ledger is complete for all before NOW + 5."""
    room = tmp_path / "room"
    room.mkdir()
    made = Issuer(CONSUMER, room, 12_345, "file")
    made.prepare()
    with open_ledger(str(made.ledger)) as store:
        store.append([Issued(signed_digest(b"genuine"), made.url, "k1", NOW, NOW + 3600)])
    seal(made, NOW + 10)
    return made


def seal(issuer: Issuer, now: int) -> None:
    """Close a batch, and have the log say so, at that time of all clocks."""
    moment = datetime.fromtimestamp(now, UTC)
    uri = f"file:{issuer.room / 'log.key'}"
    with open_ledger(str(issuer.ledger)) as store, open_signer(uri) as signer:
        log = AuditLog.open(
            issuer.ledger_log, signer=NoteSigner("replay.example/consumer", signer), clock=lambda: moment
        )
        sealer = Sealer(store, log, slack=5, quiet=1, time=lambda: moment, time_is_right=True)
        sealer.seal_all()


@pytest.fixture(params=[ByDetection, ByLedger])
def made(request: pytest.FixtureRequest, issuer: Issuer, tmp_path: Path) -> Made:
    def of(log: Path) -> Reconciliation:
        if request.param is ByLedger:
            return ByLedger(log, issuer)
        (tmp_path / "detection").mkdir()
        return ByDetection(log, issuer, tmp_path / "detection")

    return of


def row(issuer: Issuer, name: bytes, *, issued_at: int = NOW, rule: str = "") -> Decision:
    return Decision(
        time=NOW + 1,
        digest=signed_digest(name),
        issuer=issuer.url,
        kid="k1",
        subject="ada",
        issued_at=issued_at,
        expires=issued_at + 3600,
        rule=rule,
    )


@pytest.mark.parametrize(
    ("rows", "forged", "issued", "waiting"),
    [
        ([(b"genuine", NOW, "")], 0, 1, 0),
        ([(b"forged", NOW, "")], 1, 0, 0),
        ([(b"forged", NOW, ""), (b"genuine", NOW, ""), (b"forged too", NOW, "")], 2, 1, 0),
        ([(b"forged", NOW, "key-issuer")], 0, 0, 0),  # it was refused
        ([(b"forged", NOW + 60, "")], 0, 0, 1),  # the ledger does not speak of that time yet
    ],
)
def test_accepted_minus_issued(
    rows: list[tuple[bytes, int, str]],
    forged: int,
    issued: int,
    waiting: int,
    made: Made,
    issuer: Issuer,
    tmp_path: Path,
) -> None:
    with AcceptanceLog(tmp_path / "accepted") as log:
        for name, at, rule in rows:
            log.record(row(issuer, name, issued_at=at, rule=rule))
        one = made(tmp_path / "accepted")
        words = one.look()
        assert (words is not None) == (forged > 0)
        assert (len(one.forged), one.issued, one.waiting) == (forged, issued, waiting)
    assert one.look() == words  # the log is sealed by now, and is looked at again
    assert len(one.forged) == forged


def test_what_waits_is_judged_when_the_watermark_has_passed(
    made: Made, issuer: Issuer, tmp_path: Path
) -> None:
    with AcceptanceLog(tmp_path / "accepted") as log:
        log.record(row(issuer, b"forged", issued_at=NOW + 60))
        one = made(tmp_path / "accepted")
        assert one.look() is None
        seal(issuer, NOW + 100)
        assert one.look() == "a token was accepted that the issuer has never issued, signed by k1"
        assert one.waiting == 0


def test_nothing_is_done_when_nothing_has_come(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AcceptanceLog(tmp_path / "accepted") as log:
        log.record(row(issuer, b"forged"))
        one = ByDetection(tmp_path / "accepted", issuer, tmp_path / "detection")
        words = one.look()
        monkeypatch.setattr(ByDetection, "_turn", lambda _: pytest.fail("it was done again"))
        assert words is not None
        assert one.look() == words


def test_rules_say_more_than_that_a_token_was_forged(issuer: Issuer, tmp_path: Path) -> None:
    with AcceptanceLog(tmp_path / "accepted") as log:
        log.record(row(issuer, b"forged"))
        one = ByDetection(tmp_path / "accepted", issuer, tmp_path / "detection")
        one.look()
    assert one.also == {"key-unknown": 1}  # the registry has no k1


def test_a_log_that_was_altered_is_not_believed(issuer: Issuer, tmp_path: Path) -> None:
    with AcceptanceLog(tmp_path / "accepted") as log:
        log.record(row(issuer, b"forged"))
        altered = issuer.ledger_log / "checkpoint"
        altered.write_bytes(altered.read_bytes().replace(b"consumer", b"customer"))
        one = ByDetection(tmp_path / "accepted", issuer, tmp_path / "detection")
        with pytest.raises(LogError):
            one.look()
    assert one.forged == {}


def test_a_log_that_is_not_read_is_not_taken_for_a_clean_one(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> list[Path]:
        raise InputError("permission denied", path="accepted")

    monkeypatch.setattr(cycle, "files_of", fail)
    with AcceptanceLog(tmp_path / "accepted") as log:
        log.record(row(issuer, b"forged"))
        one = ByDetection(tmp_path / "accepted", issuer, tmp_path / "detection")
        with pytest.raises(ReplayError, match=r"0 of 1 accepted tokens were looked at: .*denied"):
            one.look()


def test_there_is_no_log(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ImmureError, match="cannot be read"):
        made(tmp_path / "nowhere").look()


@pytest.mark.parametrize("lacks", ["duckdb", "msgspec", "pyarrow", "yaml", None])
def test_which_of_them_is_taken(
    lacks: str | None, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(reconciling, "find_spec", lambda name: None if name == lacks else find(name))
    taken = reconciliation(tmp_path, issuer, tmp_path / "detection")
    assert taken.name == ("detect" if lacks is None else "ledger")
    assert ("not installed" in taken.words) == (lacks is not None)
