"""Owners, suppressions and baselines: what they cover, and what is refused."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.watching.errors import RulesError
from immure.watching.finding import Hit, KnownKey, Sighting
from immure.watching.rules.baseline import parse_baseline, read_baseline, write_baseline
from immure.watching.rules.globs import glob
from immure.watching.rules.judging import Rules
from immure.watching.rules.owners import parse_owners, read_owners
from immure.watching.rules.suppressions import parse_suppressions, read_suppressions

from .making import Made, look, write_tree

TODAY = date(2026, 11, 30)
KEY = "a" * 43
OTHER = "b" * 43


def sighting(path: str = "tests/k.pem", key: str = KEY, inside: str = "") -> Sighting:
    hit = Hit(KnownKey(key, "Ed25519", "OKP"), inside, "unnamed", "proof", True, 1, ())
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    return Sighting("/t", path, path, "", "sha256:x", hit, moment, moment)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.pem", "a/b/k.pem", True), ("*.pem", "k.pem!x", True), ("*.pem", "k.pem.txt", False),
        ("/conf", "conf/a", True), ("/conf", "x/conf/a", False), ("conf/", "x/conf/a", True),
        ("conf/", "x/conf", False), ("a/b", "a/b/c", True), ("a/b", "x/a/b", False), ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/d/c", False), ("a/**/c", "a/c", True), ("a/**/c", "a/b/d/c", True),
        ("**/k", "x/y/k", True),
        ("**/k", "k", True), ("k?.pem", "k1.pem", True), ("k?.pem", "k/.pem", False), ("a.b", "aXb", False),
        ("tests/**", "tests/a/b", True), ("tests/*", "tests/a/b", True), ("[x]", "[x]", True),
        ("*", "anything/at/all", True), ("a", "ab", False), ("b", "ab", False),
    ],
)  # fmt: skip
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert glob(pattern).matches(path) is matches


@given(st.text(alphabet="a/*?[.!\\", min_size=1, max_size=30), st.text(max_size=60))
def test_any_pattern_is_taken_or_refused(pattern: str, path: str) -> None:
    try:
        glob(pattern).matches(path)
    except RulesError:
        assert not pattern.strip().replace("!", "/").strip("/")


@pytest.mark.parametrize(
    ("pattern", "path"), [("**/a/" * 99 + "x", "a/" * 2000 + "y"), ("*a" * 200 + "b", "a" * 4000)]
)
def test_a_pattern_that_would_take_for_ever_does_not(pattern: str, path: str) -> None:
    began = time.perf_counter()
    assert not glob(pattern).matches(path)
    assert time.perf_counter() - began < 5


@given(
    st.lists(st.sampled_from(["**", "*", "a", "b", "a*"]), min_size=1, max_size=5), st.text("ab/", max_size=9)
)
def test_patterns_match_as_the_slow_way_says(parts: list[str], path: str) -> None:
    pattern = "/" + "/".join(parts)
    assert glob(pattern).matches(path) is _slow(parts, path.split("/"))


def _slow(parts: list[str], names: list[str]) -> bool:
    """By trying everything."""
    if not parts:
        return True
    if parts[0] == "**":
        return (bool(names) and len(parts) == 1) or any(
            _slow(parts[1:], names[at:]) for at in range(len(names) + 1) if len(parts) > 1
        )
    return bool(names) and fnmatch(names[0], parts[0]) and _slow(parts[1:], names[1:])


def test_of_owners_the_last_line_holds() -> None:
    owners = parse_owners(
        "# all\n*   @security\n[Ops] @x\n/conf/ @org/ops ops@example.com  # them\n"
        "my\\ file @me\n/conf/open\n\n"
    )
    assert owners.of("a") == ("@security",)
    assert owners.of("conf/x") == ("@org/ops", "ops@example.com")
    assert owners.of("conf/open") == ()
    assert owners.of("my file") == ("@me",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("*.pem nobody", "line 1: 'nobody'"),
        ("* @a\n!x @b", "line 2: '!x'"),
        ("/ @a", "line 1: '/' is no pattern"),
    ],
)
def test_owners_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(RulesError, match=reason):
        parse_owners(text)


def suppress(**fields: str) -> str:
    usual = {"place": '"tests/"', "reason": '"published test vectors"', "expires": "2027-01-31"}
    lines = (f"{name} = {value}" for name, value in (usual | fields).items() if value)
    return "[[suppress]]\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (suppress(reason=""), "suppression 1: has no reason"),
        (suppress(reason='"  "'), "has no reason"),
        (suppress(reason='"x"'), "has no reason"),
        (suppress(reason="5"), "has no reason"),
        (suppress(expires=""), "has no day on which it ends"),
        (suppress(expires='"2027-01-31"'), "has no day"),
        (suppress(expires="2027-01-31T00:00:00Z"), "has no day"),
        (suppress(expires="9999-01-01"), "more than two years"),
        (suppress(place=""), "is about everything"),
        (suppress(place='"**"'), "is about everything"),
        (suppress(place='"/"'), "is about everything"),
        (suppress(place="5"), "is no text"),
        (suppress(key='"short"'), "no thumbprint"),
        (suppress(because='"x"'), "'because' is not understood"),
        (suppress() + suppress(reason=""), "suppression 2"),
        ("[suppress]\n", "is not understood"),
        ("suppress = [5]\n", "is none"),
        ("ignore = []\n", "'ignore' is not understood"),
        ("[[suppress]\n", "is no TOML"),
        ("a = " + "[" * 5000, "is no TOML"),
    ],
)
def test_suppressions_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(RulesError, match=reason):
        parse_suppressions(text, TODAY)


@pytest.mark.parametrize(
    ("fields", "seen", "holds"),
    [
        ({}, sighting(), True),
        ({}, sighting("src/k.pem"), False),
        ({"place": "", "key": f'"{KEY}"'}, sighting("src/k.pem"), True),
        ({"key": f'"{KEY}"'}, sighting(key=OTHER), False),
        ({"place": '"*.zip"'}, sighting("a.zip", inside="!k.pem"), True),
        ({"place": '"a.zip!k.pem"'}, sighting("a.zip", inside="!k.pem"), True),
        ({"place": '"a.zip!k.pem"'}, sighting("a.zip", inside="!other"), False),
        ({"expires": "2026-11-30"}, sighting(), True),
        ({"expires": "2026-11-29"}, sighting(), False),
    ],
)
def test_what_a_suppression_covers(fields: dict[str, str], seen: Sighting, holds: bool) -> None:
    rules = Rules(suppressions=parse_suppressions(suppress(**fields), TODAY))
    judged = rules.judge(seen, TODAY)
    assert judged.standing == ("suppressed" if holds else "open")
    assert bool(rules.expired(TODAY)) is (fields.get("expires") == "2026-11-29")


def test_of_two_suppressions_the_longer_one_holds() -> None:
    text = suppress(expires="2026-12-01") + suppress(expires="2027-05-01", reason='"the longer one"')
    judged = Rules(suppressions=parse_suppressions(text, TODAY)).judge(sighting(), TODAY)
    assert (judged.reason, judged.until) == ("the longer one", "2027-05-01")


def test_when_a_suppression_expires_the_finding_comes_back(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"tests/k": key.pem})
    yesterday = date.today() - timedelta(days=1)
    for expires, is_open in ((date.today() + timedelta(days=30), False), (yesterday, True)):
        rules = Rules(suppressions=parse_suppressions(suppress(expires=expires.isoformat()), date.today()))
        result = look(tmp_path, rules=rules)
        assert result.is_open is is_open
        assert len(result.expired) == is_open


def test_a_baseline_knows_what_was_there(tmp_path: Path, key: Made, other: Made) -> None:
    write_tree(tmp_path / "t", {"old": key.pem})
    before = look(tmp_path / "t")
    assert write_baseline(tmp_path / "b.json", before.sightings, before.ended) == 1
    write_tree(tmp_path / "t", {"new": other.pem, "copy": key.pem})
    result = look(tmp_path / "t", rules=Rules(baseline=read_baseline(tmp_path / "b.json")))
    assert {one.path: one.standing for one in result.sightings} == {
        "old": "baseline", "new": "open", "copy": "open"
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "immure-watch-baseline-1"}',
     '{"schema": "immure-watch-baseline-2", "known": []}',
     '{"schema": "immure-watch-baseline-1", "known": [{"key": 5, "path": "x"}]}',
     '{"schema": "immure-watch-baseline-1", "known": [{"key": [], "path": "x"}]}', "[" * 100_000],
)  # fmt: skip
def test_baselines_that_are_refused(text: str) -> None:
    with pytest.raises(RulesError, match="is no baseline"):
        parse_baseline(text)


@pytest.mark.parametrize("read", [read_owners, read_baseline, lambda path: read_suppressions(path, TODAY)])
def test_files_that_cannot_be_read(read: object, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    for name, reason in (("none", "No such file"), ("latin", "cannot be read"), (".", "Is a directory")):
        with pytest.raises(RulesError, match=reason):
            read(tmp_path / name)  # type: ignore[operator]
