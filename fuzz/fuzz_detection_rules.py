"""Feeds broken rules, rules of Sigma, readings of counters and mappings to immure.detections.

Only errors that are ours are raised; a rule that is taken can be written down and read again as the same, its
condition is SQL that no quotation mark breaks, and what of it goes to Sigma comes back.
"""

from __future__ import annotations

import json
import time
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp

import duckdb
from driver import run

from immure.detections.condition import tests_of
from immure.detections.counter import read_readings
from immure.detections.errors import RuleError, SigmaError
from immure.detections.records import schema
from immure.detections.row_rules import condition_of
from immure.detections.rule import KEY_FACTS, MAIL_FACTS, Rule
from immure.detections.rule_files import built_in, parse
from immure.detections.rule_out import plain_rule, to_yaml
from immure.detections.sigma_rules import from_sigma, to_sigma
from immure.detections.sources.mapped import MappedSource
from immure.detections.sources.mapping import fingerprint, parse_mapping
from immure.errors import ImmureError, InputError, UsageError

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PLACE = Path(mkdtemp(prefix="immure-fuzz-", dir=MEMORY))
SECONDS = 2.0  # of computing for one input, which is far more than any needs
FIELDS = {"ClientAppId": "client_app", "UserId": "user"}
LOG = json.dumps({"@timestamp": "2026-11-01T00:00:00Z", "auth": {"client_id": "c"}, "status": 200}).encode()
BASE = duckdb.connect()


def tables() -> None:
    """What conditions are about, empty."""
    BASE.execute("SET enable_external_access = false")
    for kind in ("acceptance", "mail", "signin"):
        empty = schema(kind).empty_table()  # type: ignore[arg-type]
        facts = KEY_FACTS if kind == "acceptance" else MAIL_FACTS if kind == "mail" else {}
        more = "".join(f", NULL::{sort} AS {name}" for name, sort in facts.items())
        BASE.register("arriving", empty)
        BASE.execute(f"CREATE TABLE {kind} AS SELECT *{more} FROM arriving")
        BASE.unregister("arriving")


def check(data: bytes) -> None:
    """See the module."""
    begun = time.thread_time()
    for one in (_rules, _sigma, _readings, _mapping):
        one(data)
    assert time.thread_time() - begun < SECONDS


def _rules(data: bytes) -> None:
    try:
        rules = parse(data, "fuzz")
    except RuleError as error:
        _one_line(error)
        return
    for rule in rules:
        assert parse(to_yaml(plain_rule(rule)).encode(), "fuzz") == [rule]
        if rule.where is not None:
            _condition(rule)


def _one_line(error: ImmureError) -> None:
    assert "\n" not in error.reason, error
    assert len(error.reason) < 1000, error


def _explain(rule: Rule) -> None:
    """The engine takes the condition; patterns that only Python has are for "immure detect test" to find."""
    try:
        BASE.execute(f"EXPLAIN SELECT * FROM {rule.about} WHERE {condition_of(rule)}")
    except duckdb.InvalidInputException:
        assert rule.where is not None
        assert any(one.test == "matches" for one in tests_of(rule.where))


def _condition(rule: Rule) -> None:
    """The engine takes it; what Sigma can say of it comes back."""
    _explain(rule)
    try:
        text = to_yaml(to_sigma(rule))
    except SigmaError:
        return
    try:
        back = from_sigma(text, "back")
    except SigmaError:
        return
    assert back.about == rule.about


def _sigma(data: bytes) -> None:
    try:
        rule = from_sigma(data.decode("utf-8", "replace"), "fuzz", FIELDS)
    except (SigmaError, RuleError) as error:
        _one_line(error)
        return
    _explain(rule)
    to_yaml(plain_rule(rule))


def _readings(data: bytes) -> None:
    path = PLACE / "readings.csv"
    path.write_bytes(data)
    try:
        readings = read_readings(path)
    except InputError as error:
        _one_line(error)
        return
    assert readings == sorted(readings)
    assert all(one.kid and one.count >= 0 for one in readings)


def _mapping(data: bytes) -> None:
    try:
        mapping = parse_mapping(data.decode("utf-8", "replace"))
    except UsageError as error:
        _one_line(error)
        return
    assert fingerprint(mapping)
    log = PLACE / "log.jsonl"
    log.write_bytes(LOG + b"\n")
    for chunk in MappedSource(mapping).read(log):
        assert chunk.read == chunk.made + sum(chunk.passed_over.values()) + chunk.lost


def seeds() -> list[bytes]:
    """A document of each kind."""
    folder = files("immure.detections").joinpath("rules")
    texts = [document for one in folder.iterdir() for document in one.read_bytes().split(b"\n---\n")]
    sigma = [to_yaml(to_sigma(rule)).encode() for rule in built_in() if rule.kind == "row" and rule.where]
    return [*texts, *sigma, THEIRS, READINGS, MAPPING]


THEIRS = b"""title: mailbox read by an odd client
logsource: {product: m365, service: exchange}
detection:
  selection: {Operation: MailItemsAccessed, ClientAppId|startswith: ['00000002-', 'x*y?']}
  filter: {UserId|endswith: '@example.com'}
  condition: selection and not 1 of filter*
fields: [UserId]
level: high
tags: [attack.t1114.002]
"""
READINGS = b"kid,time,count\nk1,1793491200,5\nk1,2026-11-01T01:00:00Z,9\nk2,1793491200,0\n"
MAPPING = b"""name = "my-gateway"
kind = "acceptance"
known = ["trace"]
[columns]
time = "@timestamp"
client = "auth.client_id"
record_id = { path = ["request.id", "id"] }
digest = { path = "auth.token", type = "token" }
iat = { path = "auth.iat", type = "seconds", format = "%d/%b/%Y" }
verdict = { path = "status", values = { 200 = "accepted", 401 = "refused" } }
[constants]
channel = "api"
[passed_over]
path = "event"
values = ["health"]
"""


if __name__ == "__main__":
    tables()
    run(check, seeds())
