"""Reports: for people, for programs, for code hosts."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from immure.watching.finding import HitKind, KnownKey
from immure.watching.report.json import read_schema, write_json
from immure.watching.report.sarif import RULES, write_sarif
from immure.watching.report.terminal import write_terminal
from immure.watching.report.words import half_words
from immure.watching.result import Result
from immure.watching.rules.baseline import name_of
from immure.watching.rules.judging import Rules
from immure.watching.rules.owners import parse_owners
from immure.watching.rules.suppressions import parse_suppressions
from immure.watching.state import State

from .making import Made, look, tar_of, write_tree

SARIF = Path(__file__).parents[1] / "vectors" / "sarif" / "sarif-2.1.0-rtm.5.json"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, key: Made, other: Made, long_key: Made) -> Result:
    """Something of everything: open, suppressed, in the baseline, gone, expired, not searched, foreign
    names."""
    top = tmp_path_factory.mktemp("t")
    write_tree(top, {
        "conf/a.pem": b"# a text\n\n" + key.pem, "tests/b.pem": other.pem,
        "c.tar": tar_of({"d/k": long_key.pem}),
        "old {0} [x](y)": other.pem, "gone": key.pem, "broken.zip": b"PK\x03\x04" + bytes(100),
    })  # fmt: skip
    state = State()
    first = look(top, state=state)
    (top / "gone").unlink()
    soon, past = (date.today() + timedelta(days=days) for days in (9, -9))
    text = "".join(
        f'[[suppress]]\nplace = "{place}"\nreason = "test vectors {{1}}"\nexpires = {day}\n'
        for place, day in (("tests/", soon), ("elsewhere/", past))
    )
    rules = Rules(
        parse_owners("conf/ @ops"),
        parse_suppressions(text, date.today()),
        frozenset(name_of(one) for one in first.sightings if one.path == "c.tar"),
    )
    return look(top, state=state, rules=rules)


def written(write: Any, result: Result, **options: Any) -> str:
    stream = io.StringIO()
    write(result, stream, **options)
    return stream.getvalue()


def test_json_is_in_its_shape(result: Result) -> None:
    document = json.loads(written(write_json, result), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator.check_schema(read_schema())
    jsonschema.Draft202012Validator(read_schema()).validate(document)
    standings = {place["path"]: place["standing"] for one in document["findings"] for place in one["places"]}
    assert standings == {
        "conf/a.pem": "open", "tests/b.pem": "suppressed", "c.tar": "baseline", "old {0} [x](y)": "open"
    }  # fmt: skip
    assert [one["path"] for one in document["gone"]] == ["gone"]
    assert len(document["expired_suppressions"]) == 1
    assert document["open"]
    assert not document["complete"]


def test_json_of_an_empty_target(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator(read_schema()).validate(json.loads(written(write_json, look(tmp_path))))


def test_sarif_conforms(result: Result) -> None:
    log = json.loads(
        written(write_sarif, result, exit_code=1, exit_words="found"), parse_constant=pytest.fail
    )
    jsonschema.Draft4Validator(json.loads(SARIF.read_text(encoding="utf-8"))).validate(log)
    (run,) = log["runs"]
    by_path = {one["properties"]["path"]: one for one in run["results"]}
    assert by_path["conf/a.pem"]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "conf/a.pem"}, "region": {"startLine": 3}
    }  # fmt: skip
    assert by_path["tests/b.pem"]["suppressions"][0]["status"] == "accepted"
    assert by_path["c.tar"]["suppressions"]
    assert by_path["gone"]["baselineState"] == "absent"
    assert "suppressions" not in by_path["conf/a.pem"]
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
    assert len({one["fingerprints"]["keyAtPlace/v1"] for one in run["results"]}) == len(run["results"])


def test_terminal(result: Result) -> None:
    text = written(write_terminal, result)
    for words in ("in  conf/a.pem, line 3", "owned by @ops", "suppressed until", "in the baseline",
                  "Gone since the last run", ": the suppression in elsewhere/ (", "broken.zip: ",
                  "not everything was searched"):  # fmt: skip
        assert words in text
    brief = written(write_terminal, result, brief=True)
    assert brief.count("FOUND") == 2


def test_no_report_holds_a_byte_of_a_key(result: Result, key: Made, other: Made) -> None:
    texts = [written(write, result) for write in (write_json, write_sarif, write_terminal)]
    for made in (key, other):
        body = made.pem.splitlines()[1].decode()
        assert not any(body[10:30] in text or made.seed.hex()[:16] in text for text in texts)
    assert repr(result).find(key.pem.splitlines()[1].decode()) < 0


def test_sarif_has_a_rule_for_every_kind_of_finding_and_calls_no_guess_a_proof(result: Result) -> None:
    kinds = {kind for part in get_args(HitKind) for kind in get_args(part) or (part,)}
    assert set(RULES) == kinds
    log = json.loads(written(write_sarif, result))
    rules = {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    assert len(rules) == len(kinds) + 1
    for kind, rule in RULES.items():
        words = json.dumps(rules[rule.id])
        assert ("not proved" in words) == (kind == "rule")
        assert rules[rule.id]["properties"]["precision"] == ("medium" if kind == "rule" else "very-high")


@pytest.mark.parametrize("kind", sorted(RULES))
def test_sarif_of_every_kind_conforms(result: Result, kind: HitKind) -> None:
    findings = [
        replace(one, sightings=tuple(replace(at, hit=replace(at.hit, kind=kind)) for at in one.sightings))
        for one in result.findings
    ]
    log = json.loads(written(write_sarif, replace(result, findings=findings, gone=[])))
    jsonschema.Draft4Validator(json.loads(SARIF.read_text(encoding="utf-8"))).validate(log)
    assert {one["ruleId"] for one in log["runs"][0]["results"]} == {RULES[kind].id}


def test_a_secret_without_a_public_half_has_no_private_half() -> None:
    assert half_words(KnownKey("x" * 43, "password", "oct", "db")) == 'password "db"'
