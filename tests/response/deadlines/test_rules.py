"""What a deadline is, in TOML and in the log, and when it is due."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.auditlog.canonical import canonical
from immure.response.deadlines.rule import Rule
from immure.response.deadlines.rules import MOST_BYTES, parse_rules, presets, read_rules
from immure.response.errors import FormError


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("name", "since", "due"),
    [
        ("gdpr-33", "2026-11-30T10:00:00Z", "2026-12-03T10:00:00Z"),
        (
            "gdpr-33",
            "2026-03-28T10:00:00+01:00",
            "2026-03-31T11:00:00+02:00",
        ),  # hours, whatever the clocks do
        ("nis2-early-warning", "2026-11-30T10:00:00Z", "2026-12-01T10:00:00Z"),
        ("nis2-notification", "2026-11-30T10:00:00Z", "2026-12-03T10:00:00Z"),
        ("nis2-notification-trust-services", "2026-11-30T10:00:00Z", "2026-12-01T10:00:00Z"),
        ("nis2-final-report", "2026-11-30T10:00:00Z", "2026-12-30T10:00:00Z"),
        ("nis2-final-report", "2027-01-31T10:00:00Z", "2027-02-28T10:00:00Z"),
        ("nis2-final-report", "2028-01-30T10:00:00Z", "2028-02-29T10:00:00Z"),
        ("nis2-final-report", "2026-12-15T10:00:00Z", "2027-01-15T10:00:00Z"),
        ("sec-8k", "2026-11-30T15:00:00Z", "2026-12-04T17:30:00-05:00"),
        ("sec-8k", "2026-12-01T04:30:00Z", "2026-12-04T17:30:00-05:00"),  # still Monday in New York
        ("sec-8k", "2026-12-01T05:30:00Z", "2026-12-07T17:30:00-05:00"),  # Tuesday there, too
        ("sec-8k", "2026-11-25T15:00:00Z", "2026-12-02T17:30:00-05:00"),  # Thanksgiving
        ("sec-8k", "2026-06-17T15:00:00Z", "2026-06-24T17:30:00-04:00"),  # Juneteenth, in summer time
        ("sec-8k", "2026-10-30T15:00:00Z", "2026-11-05T17:30:00-05:00"),  # the clocks go back on 1 November
    ],
)
def test_presets_are_due(name: str, since: str, due: str) -> None:
    assert presets()[name].due(at(since)) == at(due)


def test_every_preset_names_its_source() -> None:
    for rule in presets().values():
        assert "Article" in rule.source or "Form 8-K" in rule.source
        assert rule.url.startswith("https://")
        assert rule.starts
        assert rule.to
        assert not rule.after or rule.after in presets()


@pytest.mark.parametrize("rule", presets().values(), ids=lambda rule: rule.id)
def test_the_log_s_form_comes_back(rule: Rule) -> None:
    plain = rule.plain()
    assert canonical(plain)
    assert Rule.from_plain(plain) == rule


OWN = """
version = 1

[deadlines.contoso]
title = "Tell the customer"
source = "contract of 2025-03-01, clause 9.2"
business_days = 1
calendar = "us-federal"
closed = ["2026-12-24"]
"""


def test_a_file_of_one_s_own() -> None:
    made = parse_rules(OWN.encode(), "own.toml")["contoso"]
    assert made.span_words() == "1 business day"
    assert made.due(at("2026-12-23T10:00:00Z")) == at("2026-12-28T23:59:00Z")
    assert Rule.from_plain(made.plain()) == made


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1", "version = 2"), "version is not 1"),
        (("business_days = 1", ""), "exactly one of hours, months, business_days"),
        (("business_days = 1", "business_days = 1\nhours = 1"), "exactly one of"),
        (("business_days = 1", "business_days = -1"), "not a number between"),
        (("business_days = 1", "hours = 1000000"), "not a number between"),
        (('"us-federal"', '"moon"'), "calendar is one of us-federal, weekdays"),
        (('"2026-12-24"', '"24.12.2026"'), "closed is a list of days"),
        (('title = "Tell the customer"', ""), "deadlines.contoso.title is missing"),
        (('title = "Tell the customer"', 'title = "a\\nb"'), "title is a line"),
        (("[deadlines.contoso]", '[deadlines."../x"]'), "the name of a deadline"),
        (("[deadlines.contoso]", "[deadlines.contoso]\nmore = 1"), "deadlines.contoso.more is not known"),
        (("[deadlines.contoso]", '[deadlines.contoso]\nuntil = "25:00"'), "a time of day as 17:30"),
        (("[deadlines.contoso]", '[deadlines.contoso]\nafter = "contoso"'), "runs after itself"),
        (("version = 1", "version = "), "is no TOML"),
    ],
)
def test_wrong_files(change: tuple[str, str], words: str) -> None:
    with pytest.raises(FormError, match=words) as caught:
        parse_rules(OWN.replace(*change).encode(), "own.toml")
    assert caught.value.path == "own.toml"


@pytest.mark.parametrize("zone", ["Europe", "../etc/passwd", "Moon/Base", "/etc/passwd"])
def test_time_zones_that_this_machine_does_not_know(zone: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'{OWN}zone = "{zone}"\n')
    with pytest.raises(FormError, match=rf"own\.toml: deadline contoso: no time zone '{zone}'"):
        read_rules(path)


def test_a_file_that_is_not_there_or_too_long(tmp_path: Any) -> None:
    with pytest.raises(FormError, match="cannot be read"):
        read_rules(tmp_path / "gone.toml")
    with pytest.raises(FormError, match="is longer"):
        parse_rules(b"#" * (MOST_BYTES + 1), "long.toml")


@pytest.mark.parametrize(
    "plain",
    [None, [], {}, {"id": "a"}, {"id": "a", "title": "t", "source": "s"},
     {"id": "a", "title": "t", "source": "s", "hours": True},
     {"id": "a", "title": "t", "source": "s", "hours": 1, "more": 1},
     {"id": "a", "title": 1, "source": "s", "hours": 1},
     {"id": "a", "title": "t", "source": "s", "hours": 1, "closed": [1]},
     {"id": "a", "title": "t", "source": "s", "hours": 1, "closed": "2026-12-24"}],
)  # fmt: skip
def test_what_is_no_rule(plain: Any) -> None:
    with pytest.raises(FormError):
        Rule.from_plain(plain)


@pytest.mark.parametrize("rule", presets().values(), ids=lambda rule: rule.id)
@pytest.mark.parametrize("since", [-(1 << 60), 1 << 60, 253_402_300_799])
def test_moments_beyond_the_calendar(rule: Rule, since: int) -> None:
    if rule.hours:
        assert rule.due(since) == since + 3600 * rule.hours
        return
    with pytest.raises(FormError, match=r"beyond the calendar|after the year"):
        rule.due(since)


@given(st.integers(0, 4_000_000_000), st.sampled_from(sorted(presets())))
def test_a_deadline_is_never_before_its_beginning_and_never_goes_back(since: int, name: str) -> None:
    rule = presets()[name]
    assert since < rule.due(since) <= rule.due(since + 86_400)
