"""Retention: what is kept against what is needed, what is there against what is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detections.turning import made
from immure.ledger.retention import Keeping
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


def test_what_is_there(tmp_path: Path) -> None:
    scenario = made("quiet", 1, tmp_path / "day")
    first = min(use.time for use in scenario.uses)
    log = checked(LogSource("a"), Place(path=tmp_path / "day" / "accepted"))
    assert log.looked
    assert log.oldest is not None
    assert abs(log.oldest.timestamp() - first) < 1
    issued = checked(LogSource("b"), Place(ledger=str(tmp_path / "day" / "ledger.db")))
    assert issued.oldest is not None
    assert abs(issued.oldest.timestamp() - first) < 3600  # of the issuer of which the least is there
    (tmp_path / "empty").mkdir()
    empty = checked(LogSource("c"), Place(path=tmp_path / "empty"))
    assert (empty.oldest, empty.looked) == (None, True)
    with pytest.raises(ResponseError, match="log d: "):
        checked(LogSource("d"), Place(path=tmp_path / "nowhere"))
    with pytest.raises(ResponseError, match="log e: "):
        checked(LogSource("e"), Place(ledger=str(tmp_path / "nowhere.db")))


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
