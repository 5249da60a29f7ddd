"""YARA rules of the user: what they match is found, and found again only if the rules change."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

pytest.importorskip("yara_x", reason="NOT TESTED: the extra yara is not installed")

from immure.clock import now
from immure.scanning.options import ScanOptions
from immure.watching import patterns
from immure.watching.errors import RulesError
from immure.watching.patterns import PatternRules, read_rules
from immure.watching.question import TextRules, ask
from immure.watching.report.sarif import to_sarif
from immure.watching.report.terminal import write_terminal
from immure.watching.report.words import verdict_words
from immure.watching.result import Gathering, Result
from immure.watching.rules.judging import Rules
from immure.watching.sources.opening import open_source
from immure.watching.state import State
from immure.watching.watch import Watch

from .making import Made, places, tar_of, write_tree

RULE = """
rule cloud_key : credential {
  meta: description = "an access key"
  strings: $id = /\\bXKIA[A-Z0-9]{16}\\b/
  condition: $id
}
"""
EXAMPLE = b"id: XKIA" + b"Q7" * 8 + b"\n"
COUNTER_EXAMPLES = (b"id: XKIA", b"XKIA" + b"q7" * 8, b"text")


def look_with(path: Path, rules: TextRules | None, state: State | None = None, *keys: Made) -> Result:
    state = state or State()
    question = ask([key.public for key in keys], ScanOptions(threads=1), rules)
    gathering, began = Gathering(state, question, Rules()), now()
    gathering.runs.append(Watch(state, question).run(open_source(str(path))))
    return gathering.result(began, now())


@pytest.fixture
def rules(tmp_path: Path) -> PatternRules:
    write_tree(tmp_path, {"rules/own.yar": RULE.encode(), "rules/readme.txt": b"none"})
    found = read_rules([tmp_path / "rules"])
    assert found is not None
    return found


def test_examples_match_and_counter_examples_do_not(tmp_path: Path, rules: PatternRules) -> None:
    files = {f"no{number}": data for number, data in enumerate(COUNTER_EXAMPLES)}
    write_tree(tmp_path / "t", {**files, "yes": b"\n\n" + EXAMPLE, "packed": tar_of({"a": EXAMPLE}, "w:gz")})
    result = look_with(tmp_path / "t", rules)
    assert places(result) == {"rule:own.yar:cloud_key": {"yes", "packed!a"}}
    assert result.complete
    (sighting,) = (one for one in result.sightings if one.path == "yes")
    assert sighting.hit.kind == "rule"
    assert sighting.hit.proof == "the rule own.yar:cloud_key matches: an access key"
    assert sighting.hit.spots[0].line == 3
    assert "Q7Q7" not in repr(result)


def test_new_rules_are_asked_without_a_search_for_keys(
    tmp_path: Path, rules: PatternRules, key: Made
) -> None:
    write_tree(tmp_path / "t", {"a": EXAMPLE, "k": key.pem})
    state = State()
    assert set(places(look_with(tmp_path / "t", None, state, key))) == {key.name}
    second = look_with(tmp_path / "t", rules, state, key)
    assert set(places(second)) == {key.name, "rule:own.yar:cloud_key"}
    assert second.runs[0].scanned == 2
    assert look_with(tmp_path / "t", rules, state, key).runs[0].scanned == 0
    changed = PatternRules((("own.yar", RULE + "\n// changed\n"),))
    assert look_with(tmp_path / "t", changed, state, key).runs[0].scanned == 2


def test_large_images_are_searched_in_windows(
    tmp_path: Path, rules: PatternRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "_WINDOW", 1 << 20)
    monkeypatch.setattr(patterns, "_OVERLAP", 1 << 16)
    data = bytearray(os.urandom(64) + bytes(3 << 20))
    offsets = [500, (1 << 20) - 10, (2 << 20) - 70_000, (3 << 20)]
    for at in offsets:
        data[at : at + len(EXAMPLE)] = EXAMPLE
    write_tree(tmp_path / "t", {"big": bytes(data)})
    (sighting,) = look_with(tmp_path / "t", rules).sightings
    assert [spot.offset for spot in sighting.hit.spots] == [at + 4 for at in offsets]
    assert sighting.hit.count == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rule a { condition: x }", r"own\.yar: is not understood by YARA-X: .*line:1:21"),
        ('include "/etc/passwd"\nrule a { condition: true }', "is not understood"),
        ("not YARA", "is not understood"),
    ],
)
def test_rules_that_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    write_tree(tmp_path, {"own.yar": text.encode()})
    with pytest.raises(RulesError, match=reason):
        read_rules([tmp_path / "own.yar"])


def test_a_directory_without_rules(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"holds no \.yar"):
        read_rules([tmp_path])
    assert read_rules([]) is None


def test_a_rule_that_takes_too_long_leaves_a_gap(
    tmp_path: Path, rules: PatternRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yara_x

    class Slow:
        def scan(self, data: bytes) -> None:
            raise yara_x.TimeoutError("too long")

    monkeypatch.setattr(PatternRules, "_scanner", lambda self: Slow())
    write_tree(tmp_path / "t", {"a": EXAMPLE})
    result = look_with(tmp_path / "t", rules)
    assert not result.complete
    assert "took more than" in result.runs[0].troubles[0].reason


def test_matches_of_rules_that_were_mended_or_withdrawn_are_forgotten(
    tmp_path: Path, rules: PatternRules
) -> None:
    write_tree(tmp_path / "t", {"a": EXAMPLE})
    state = State(tmp_path / "state")
    write_tree(tmp_path, {"rules/own.yar": RULE.replace("{16}", "{40}").encode()})
    mended = read_rules([tmp_path / "rules"])
    found = [
        (bool(result.findings), len(result.gone), result.runs[0].scanned)
        for result in (look_with(tmp_path / "t", asked, state) for asked in (rules, mended, None, rules))
    ]
    assert found == [(True, 0, 1), (False, 0, 1), (False, 0, 0), (True, 0, 0)]


def test_a_match_is_called_no_key(tmp_path: Path, rules: PatternRules, key: Made) -> None:
    write_tree(tmp_path / "t", {"a": EXAMPLE})
    result = look_with(tmp_path / "t", rules)
    assert verdict_words(result) == "1 rule that matches at 1 place"
    stream = io.StringIO()
    write_terminal(result, stream)
    assert "0 keys named, rules asked" in stream.getvalue()
    assert "proof" not in stream.getvalue()
    write_tree(tmp_path / "t", {"b": key.pem})
    result = look_with(tmp_path / "t", rules)
    assert verdict_words(result) == "1 private key and 1 rule that matches at 2 places"
    by_id = {one["ruleId"]: one for one in to_sarif(result)["runs"][0]["results"]}
    assert set(by_id) == {"immure/rule-match", "immure/unnamed-key"}
    assert "Proof" not in by_id["immure/rule-match"]["message"]["text"]
