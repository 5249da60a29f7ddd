"""The report for machines has the shape that its schema says, and no other."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import jsonschema
import pytest

from immure.replay.controls import CONTROLS
from immure.replay.matrix import Played
from immure.replay.report.json import read_schema, write_json
from immure.replay.scenario import names, read_scenario
from replay import canned

CHECKED = jsonschema.Draft202012Validator(read_schema())


def document(played: list[Played]) -> Any:
    stream = io.StringIO()
    write_json(played, ("a mailbox over HTTP stands in for Dovecot",), stream)
    return json.loads(stream.getvalue())


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema())


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("sham", [None, "ledger", "mail-log"])
def test_each_matrix_is_of_that_shape(name: str, sham: str | None) -> None:
    CHECKED.validate(document(canned.matrix(read_scenario(name), sham=sham)))


def test_each_control_is_in_it() -> None:
    assert read_schema()["$defs"]["control"]["enum"] == list(CONTROLS)


def _remove(made: Any) -> None:
    del made["worlds"][0]["custody"]


def _more(made: Any) -> None:
    made["worlds"][0]["key"] = "..."


def _none(made: Any) -> None:
    made["worlds"] = []


def _wrong(made: Any) -> None:
    made["worlds"][0]["noticed"] = [{"by": "gate", "seconds": 1, "mailboxes_read_before": 0, "what": ""}]


def _before(made: Any) -> None:
    made["worlds"][0]["seconds"] = -1


@pytest.mark.parametrize("change", [_remove, _more, _none, _wrong, _before])
def test_what_is_of_another_shape(change: Any) -> None:
    made = copy.deepcopy(document(canned.matrix()))
    change(made)
    assert not CHECKED.is_valid(made)
