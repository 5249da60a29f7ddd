"""Retention: what is kept against what is needed, what is there against what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detections.turning import made
from immure.ledger.opening import open_ledger
from immure.ledger.retention import Keeping
from immure.ledger.row import Issued
from immure.ledger.store import Standing
from immure.response.errors import FormError, ResponseError
from immure.response.retention import LogSource, judge
from immure.response.retention_file import Place, checked, parse_plan, read_plan

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NEED = Keeping(timedelta(days=60), timedelta(days=1), timedelta(days=365))  # 426


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("source", "verdict", "gap", "words"),
    [
        ({}, "unknown", 426, "nothing says for how long"),
        ({"looked": True}, "unknown", 426, "is empty"),
        ({"keeps": 426}, "kept", 0, "is kept for 426 days"),
        ({"keeps": 425.5}, "gap", 0.5, "is kept for 425.5 days, and 426 are needed"),
        ({"keeps": 180}, "gap", 246, "is kept for 180 days"),
        ({"keeps": 0}, "gap", 426, "is kept for 0 days"),
        ({"keeps": 900, "oldest": 30}, "kept", 0, "30 are there"),
        ({"oldest": 500}, "kept", 0, "500 days are there"),
        ({"oldest": 30}, "unknown", 396, "30 days are there, and nothing says"),
        ({"keeps": 900, "oldest": 30, "began": 31}, "kept", 0, "is kept for 900 days"),
        (
            {"keeps": 900, "oldest": 30, "began": 400},
            "gap",
            396,
            "only 30 days are there, though it began 400",
        ),
        ({"oldest": 425, "began": 2000}, "unknown", 1, "425 days are there"),
        ({"oldest": 400, "began": 2000}, "gap", 26, "only 400 days"),
        ({"keeps": 180, "oldest": 179, "began": 2000}, "gap", 246, "is kept for 180 days"),
        # one that is empty shows nothing, whatever is configured
        ({"looked": True, "keeps": 900}, "unknown", 426, "is empty, and nobody says since when"),
        ({"looked": True, "keeps": 180}, "gap", 246, "is kept for 180 days"),
        ({"looked": True, "keeps": 900, "began": 400}, "gap", 426, "is empty, though it began 400 days ago"),
        ({"looked": True, "began": 400}, "gap", 426, "is empty, though it began 400 days ago"),
        ({"looked": True, "keeps": 900, "began": 1}, "kept", 0, "is kept for 900 days, 0 are there"),
        ({"looked": True, "began": 1}, "unknown", 426, "0 days are there"),
    ],
)
def test_what_is_kept(source: dict[str, float], verdict: str, gap: float, words: str) -> None:
    log = LogSource(
        "mail",
        timedelta(days=source["keeps"]) if "keeps" in source else None,
        ago(source["oldest"]) if "oldest" in source else None,
        ago(source["began"]) if "began" in source else None,
        bool(source.get("looked")),
    )
    found = judge(log, NEED, NOW)
    assert (found.verdict, found.gap) == (verdict, timedelta(days=gap))
    assert words in found.words


def test_what_is_configured_alone() -> None:
    """Without the time it is not asked what is there."""
    for oldest in (None, ago(3)):
        log = LogSource("mail", timedelta(days=900), oldest, ago(400), looked=True)
        assert judge(log, NEED).words == "is kept for 900 days"


def test_what_is_there(tmp_path: Path) -> None:
    scenario = made("quiet", 1, tmp_path / "day")
    first = min(use.time for use in scenario.uses)
    log = checked(LogSource("a"), Place(path=tmp_path / "day" / "accepted"))
    assert log.looked
    assert log.oldest is not None
    assert abs(log.oldest.timestamp() - first) < 1
    issued = checked(LogSource("b"), Place(ledger=str(tmp_path / "day" / "ledger.db")))
    assert issued.oldest is not None
    assert abs(issued.oldest.timestamp() - first) < 3600  # the first row of all
    (tmp_path / "empty").mkdir()
    empty = checked(LogSource("c"), Place(path=tmp_path / "empty"))
    assert (empty.oldest, empty.looked) == (None, True)
    with pytest.raises(ResponseError, match="log d: "):
        checked(LogSource("d"), Place(path=tmp_path / "nowhere"))
    with pytest.raises(ResponseError, match="log e: "):
        checked(LogSource("e"), Place(ledger=str(tmp_path / "nowhere.db")))


def test_what_a_ledger_of_several_issuers_has(tmp_path: Path) -> None:
    """Whole since its first row: that another issuer began later is no loss. What was pruned is."""
    place = str(tmp_path / "ledger.db")
    with open_ledger(place, create=True) as store:
        for issuer, age in (("https://old.example", 500), ("https://new.example", 10)):
            issued = int(ago(age).timestamp())
            store.append([Issued(bytes(16), issuer, "k1", issued, issued + 60)])
    found = checked(LogSource("issued"), Place(ledger=place))
    assert found.oldest == ago(500)
    assert judge(replace(found, keeps=timedelta(days=900), began=ago(500)), NEED, NOW).verdict == "kept"


class _Pruned:
    """Issuers of a ledger, and up to when the rows of one were pruned."""

    def __init__(self, *standings: Standing) -> None:
        self._standings = standings

    def __enter__(self) -> _Pruned:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def standings(self) -> tuple[Standing, ...]:
        return self._standings

    def rows(self, issuer: str, first: int, last: int) -> list[tuple[int, Issued]]:
        return [(1, Issued(bytes(16), issuer, "k1", int(ago(500).timestamp()), 1 << 33))]


@pytest.mark.parametrize(
    ("pruned", "oldest"), [((), 500), ((0,), 500), ((100,), 100), ((0, 700, 100), 100), ((700,), 700)]
)
def test_a_ledger_that_was_pruned(
    monkeypatch: pytest.MonkeyPatch, pruned: tuple[int, ...], oldest: int
) -> None:
    """Days up to which the rows of other issuers were pruned; 0: none of them."""
    others = [Standing(f"i{days}", 9, 9, 1, 9, int(ago(days).timestamp()) if days else 0) for days in pruned]
    first = [] if pruned == (700,) else [Standing("whole", 9, 9, 1, 9)]
    monkeypatch.setattr("immure.ledger.opening.open_ledger", lambda place: _Pruned(*first, *others))
    assert checked(LogSource("issued"), Place(ledger="x")).oldest == ago(oldest)


def test_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(
        "version = 1\nkey_life_days = 60\ntoken_life_days = 0.5\nlag_days = 365\n"
        '[logs.mail]\npath = "mail"\nkeeps_days = 180\nbegan = 2025-01-01\nsource = "m365"\n'
        '[logs.issued]\nledger = "ledger.db"\n[logs.other]\nledger = "postgresql://db/x"\n'
    )
    plan = read_plan(tmp_path / "plan.toml")
    assert plan.need == Keeping(timedelta(days=60), timedelta(hours=12), timedelta(days=365))
    [(mail, place), (_, ledger), (_, remote)] = plan.logs
    assert (mail.keeps, mail.began) == (timedelta(days=180), datetime(2025, 1, 1, tzinfo=UTC))
    assert (place.path, place.kind) == (tmp_path / "mail", "m365")
    assert (ledger.ledger, remote.ledger) == (str(tmp_path / "ledger.db"), "postgresql://db/x")
    assert parse_plan(b"version = 1\nlag_days = 1\n", tmp_path / "p").need is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "version is not 1"),
        ("version = 2", "version is not 1"),
        ("version = true", "version is not 1"),
        ("[", "is no TOML"),
        ("\xff", "is no TOML"),
        ("version = 1\nkeylife = 3", "has 'keylife'"),
        ("version = 1\nlag_days = -1", "is a number of days"),
        ("version = 1\nlag_days = 1e9", "is a number of days"),
        ("version = 1\nlag_days = nan", "is a number of days"),
        ("version = 1\nlag_days = true", "is a number of days"),
        ("version = 1\nlogs = 3", "is a table"),
        ("version = 1\nlogs.a = 3", "is no table"),
        ("version = 1\n[logs.a]\nkeep = 3", "has 'keep'"),
        ('version = 1\n[logs.a]\npath = "a"\nledger = "b"', "not both"),
        ("version = 1\n[logs.a]\npath = 3", "is a text"),
        ('version = 1\n[logs.a]\nbegan = "yesterday"', "is a day"),
        ("#" * (1 << 20) + "\n", "is longer"),
    ],
)
def test_plans_that_are_none(text: str, words: str) -> None:
    with pytest.raises(FormError, match=words):
        parse_plan(text.encode("latin-1"), Path("plan.toml"))


def test_no_plan(tmp_path: Path) -> None:
    with pytest.raises(FormError, match="No such file"):
        read_plan(tmp_path / "plan.toml")
