"""Reports of a probe: for people and for programs, whatever a target is called."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.probe.answer import Answer, Outcome
from immure.probe.catalogue import CATALOGUE
from immure.probe.report.formats import FORMATS, write_report
from immure.probe.report.json import read_schema
from immure.probe.report.terminal import write_catalogue
from immure.probe.report.words import exit_code
from immure.probe.result import Control, ProbeReport, Result, Verdict

MOMENT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SARIF = jsonschema.Draft4Validator(
    json.loads((Path(__file__).parents[1] / "vectors" / "sarif" / "sarif-2.1.0-rtm.5.json").read_text()),
    format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
)
JSON = jsonschema.Draft202012Validator(
    read_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
CASES = {case.id: case for case in CATALOGUE}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e{0} [x](http://y)"


def answered(name: str, outcome: Outcome) -> Result:
    return Result(CASES[name], Answer(outcome, "HTTP 299"), ("0" * 32,), 0.25)


def sample(*results: Result, **changes: Any) -> ProbeReport:
    good = Control("a good token", Outcome.LET_IN, Answer(Outcome.LET_IN, "HTTP 200"), 0)
    report = ProbeReport(
        "https://mail.example/inbox", "http", MOMENT, MOMENT, "https://login.example", "https://mail.example",
        (("k", "RS256", "thumb"),), (good,), results,
    )  # fmt: skip
    return replace(report, **changes)


NOTHING = sample(answered("scope.incident", Outcome.REFUSED), answered("signature.negated", Outcome.LET_IN))
HOLES = sample(
    answered("size.deep", Outcome.LET_IN),
    answered("scope.incident", Outcome.LET_IN),
    answered("signature.negated", Outcome.LET_IN),
    answered("alg.none", Outcome.BROKE),
    answered("alg.null", Outcome.NO_ANSWER),
    Result(CASES["typ.plain"], Answer(Outcome.NOT_ASKED, "not at+jwt")),
)
CANNOT = sample(Result(CASES["alg.none"], Answer(Outcome.NOT_ASKED, "x")), reason="no good token is let in")
SAMPLES = {"nothing": NOTHING, "holes": HOLES, "cannot": CANNOT, "hostile": replace(HOLES, issuer=HOSTILE)}


def written(report: ProbeReport, form: Any) -> str:
    stream = io.StringIO()
    write_report(report, stream, form)
    return stream.getvalue()


def test_verdicts() -> None:
    verdicts = {name: report.verdict for name, report in SAMPLES.items()}
    assert verdicts == {
        "nothing": Verdict.NOTHING, "holes": Verdict.LET_IN, "cannot": Verdict.CANNOT_TELL,
        "hostile": Verdict.LET_IN,
    }  # fmt: skip
    assert [exit_code(one) for one in Verdict] == [0, 1, 3]
    assert sample().verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize("name", SAMPLES)
def test_json_conforms(name: str) -> None:
    value = json.loads(written(SAMPLES[name], "json"), parse_constant=pytest.fail)
    JSON.validate(value)
    assert value["verdict"] == SAMPLES[name].verdict.value
    assert len(value["cases"]) == len(SAMPLES[name].results)
    assert value["counts"]["holes"] == len(SAMPLES[name].holes)


@pytest.mark.parametrize("name", SAMPLES)
def test_sarif_conforms(name: str) -> None:
    log = json.loads(written(SAMPLES[name], "sarif"))
    SARIF.validate(log)
    [run] = log["runs"]
    assert run["invocations"][0]["exitCode"] == exit_code(SAMPLES[name].verdict)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_says_how_bad() -> None:
    [run] = json.loads(written(HOLES, "sarif"))["runs"]
    levels = {one["ruleId"][13:]: (one["kind"], one["level"]) for one in run["results"]}
    assert levels == {
        "size.deep": ("fail", "note"),
        "scope.incident": ("fail", "error"),
        "signature.negated": ("informational", "none"),
        "alg.none": ("fail", "warning"),
    }
    names = [one["descriptor"]["id"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert names == ["no-answer", "not-asked"]


def test_sarif_says_that_it_cannot_tell() -> None:
    [run] = json.loads(written(CANNOT, "sarif"))["runs"]
    [first, *_] = run["invocations"][0]["toolExecutionNotifications"]
    assert (first["descriptor"]["id"], first["level"]) == ("cannot-tell", "error")
    assert run["invocations"][0]["executionSuccessful"] is False


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name in ("src", "href", "action", "style")}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_needs_nothing_and_runs_nothing(name: str) -> None:
    page = written(SAMPLES[name], "html")
    seen = Tags()
    seen.feed(page)
    assert "script" not in seen.tags
    assert seen.links == set()
    assert "default-src &#x27;none&#x27;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("name", SAMPLES)
def test_the_terminal_is_not_moved(name: str) -> None:
    text = written(SAMPLES[name], "terminal")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    last = {"nothing": "Nothing was let in", "cannot": "Cannot tell: no good token"}
    assert text.rstrip().splitlines()[-1].startswith(last.get(name, "2 tokens were let in"))


def test_the_worst_comes_first() -> None:
    text = written(HOLES, "terminal")
    assert text.index("scope.incident") < text.index("size.deep")


texts = st.text(max_size=40)
reports = st.builds(
    sample,
    st.builds(
        Result, st.sampled_from(CATALOGUE), st.builds(Answer, st.sampled_from(Outcome), texts),
        st.just(("a" * 32,)), st.floats(0, 100),
    ),
    issuer=texts, audience=texts, reason=st.none() | texts,
    keys=st.lists(st.tuples(texts, texts, texts)).map(tuple),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(reports)
def test_any_report_can_be_written(report: ProbeReport) -> None:
    for form in FORMATS:
        text = written(report, form)
        if form == "json":
            JSON.validate(json.loads(text))
        elif form == "sarif":
            SARIF.validate(json.loads(text))


def test_the_catalogue_can_be_printed() -> None:
    stream = io.StringIO()
    write_catalogue(CATALOGUE, stream)
    assert all(case.id in stream.getvalue() for case in CATALOGUE)
