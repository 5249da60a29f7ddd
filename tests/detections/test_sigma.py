"""Into Sigma and out of it, with the back ends of Splunk, Elastic, Kusto and SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.backends.elasticsearch import LuceneBackend
from sigma.backends.kusto import KustoBackend
from sigma.backends.splunk import SplunkBackend
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

from immure.detections.condition import Condition, Every, Field, Not, Some
from immure.detections.errors import SigmaError
from immure.detections.rule import Rule
from immure.detections.rule_files import built_in
from immure.detections.rule_out import to_yaml
from immure.detections.sigma_rules import from_sigma, to_sigma

RULES = {rule.id: rule for rule in built_in()}
HEAD = "title: A rule\nlogsource: {product: immure, category: mail_access}\nlevel: high\n"


def rule(where: Condition) -> Rule:
    return Rule("some-rule", "some rule", "row", "low", "words", "mail", where=where, by=("tenant",))


def document(where: Condition) -> str:
    return to_yaml(to_sigma(rule(where)))


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (SplunkBackend, "throttled"),
        (LuceneBackend, "throttled"),
        (KustoBackend, "throttled"),
        (sqliteBackend, "throttled"),
    ],
)
def test_back_ends_take_what_is_exported(backend: Any, words: str) -> None:
    text = to_yaml(to_sigma(RULES["mail-throttled"]))
    (query,) = backend().convert(SigmaCollection.from_yaml(text))
    assert words in str(query)


def test_export_says_what_sigma_cannot() -> None:
    for name in ("token-forged", "mail-new-client", "key-unknown", "mail-other-tenant"):
        with pytest.raises(SigmaError, match="Sigma cannot say it") as caught:
            to_sigma(RULES[name])
        assert caught.value.path == name


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=8)
fields = st.sampled_from(["app", "client_app", "user", "ip"])
tests = st.one_of(
    st.builds(
        lambda name, values: Field(name, "is", tuple(values)), fields, st.lists(texts, min_size=1, max_size=1)
    ),
    st.builds(
        lambda name, test, value: Field(name, test, (value,)),
        fields,
        st.sampled_from(["contains", "starts", "ends"]),
        texts,
    ),
    st.builds(lambda value: Field("count", "above", (value,)), st.integers(0, 99)),
    st.builds(lambda value: Field("throttled", "is", (value,)), st.booleans()),
    st.builds(lambda name: Field(name, "missing", (True,)), fields),
)
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: Every(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: Some(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=5,
)
records = st.fixed_dictionaries(
    {
        "app": st.none() | texts,
        "client_app": st.none() | texts,
        "user": st.none() | texts,
        "ip": st.none() | texts,
        "count": st.none() | st.integers(0, 99),
        "throttled": st.none() | st.booleans(),
    }
)


def meaning(where: Condition, record: dict[str, Any]) -> bool:
    """What a condition means, spelled a second time."""
    if isinstance(where, Not):
        return not meaning(where.part, record)
    if isinstance(where, Every):
        return all(meaning(part, record) for part in where.parts)
    if isinstance(where, Some):
        return any(meaning(part, record) for part in where.parts)
    value, (wanted,) = record[where.name], where.values
    if where.test == "missing":
        return (value is None) == wanted
    if value is None:
        return False
    if isinstance(value, str):
        value, wanted = value.lower(), str(wanted).lower()
    return bool(
        {
            "is": lambda: value == wanted,
            "contains": lambda: wanted in value,
            "starts": lambda: value.startswith(wanted),
            "ends": lambda: value.endswith(wanted),
            "above": lambda: value > wanted,
        }[where.test]()
    )


@settings(max_examples=40, deadline=None)
@given(conditions, st.lists(records, min_size=1, max_size=5))
def test_out_and_back_again_means_the_same(where: Condition, rows: list[dict[str, Any]]) -> None:
    again = from_sigma(document(where), "x").where
    assert again is not None
    for record in rows:
        assert meaning(again, record) == meaning(where, record)


@pytest.fixture(scope="module")
def base() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        opened.execute(
            "CREATE TABLE mail (app VARCHAR, client_app VARCHAR, ip VARCHAR, count BIGINT, "
            'throttled BOOLEAN, "user" VARCHAR)'
        )
        yield opened


@settings(max_examples=40, deadline=None)
@given(where=conditions, rows=st.lists(records, min_size=1, max_size=5))
def test_our_sql_means_the_same(
    base: duckdb.DuckDBPyConnection, where: Condition, rows: list[dict[str, Any]]
) -> None:
    base.execute("DELETE FROM mail")
    names = ("app", "client_app", "ip", "count", "throttled", "user")
    cells = [tuple(row[name] for name in names) for row in rows]
    base.executemany("INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?)", cells)
    found = base.execute(f"SELECT * FROM mail WHERE {where.sql()}").fetchall()
    wanted = [cell for cell, row in zip(cells, rows, strict=True) if meaning(where, row)]
    assert sorted(map(str, found)) == sorted(map(str, wanted))


def test_sqlite_finds_what_the_rule_finds() -> None:
    where = Every((Field("action", "is", ("sync",)), Not(Field("app", "is", ("a1",)))))
    (query,) = sqliteBackend().convert(SigmaCollection.from_yaml(document(where)))
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE logs (action TEXT, app TEXT)")
    base.executemany("INSERT INTO logs VALUES (?, ?)", [("sync", "a2"), ("sync", "a1"), ("bind", "a2")])
    assert base.execute(str(query)).fetchall() == [("sync", "a2")]


@pytest.mark.parametrize(
    ("detection", "where"),
    [
        ("{test: {app: 'a*'}, condition: test}", Field("app", "starts", ("a",))),
        ("{test: {app: '*a'}, condition: test}", Field("app", "ends", ("a",))),
        ("{test: {app: 'a*b'}, condition: test}", Field("app", "matches", ("^a.*b$",))),
        ("{test: {app: '*'}, condition: test}", Field("app", "missing", (False,))),
        ("{test: {app|exists: false}, condition: test}", Field("app", "missing", (True,))),
        ("{test: {count: 4}, condition: test}", Field("count", "is", (4,))),
        ("{test: {app: 50126}, condition: test}", Field("app", "is", ("50126",))),
        ("{test: {count|lt: 4}, condition: test}", Field("count", "below", (4,))),
        (
            "{one: {app: a}, two: {app: b}, condition: 1 of *}",
            Some((Field("app", "is", ("a",)), Field("app", "is", ("b",)))),
        ),
    ],
)
def test_import(detection: str, where: Condition) -> None:
    assert from_sigma(f"{HEAD}detection: {detection}\n", "x").where == where


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}detection: {{test: {{nonsense: a}}, condition: test}}\n", "no such column"),
        (f"{HEAD}detection: {{words: [a, b], condition: words}}\n", "says what we cannot"),
        (f"{HEAD}detection: {{test: {{app|cased: A}}, condition: test}}\n", "have no case"),
        (
            f"{HEAD}detection: {{test: {{ip|cidr: 10.0.0.0/8}}, condition: test}}\n",
            "a test that we do not have",
        ),
        (f"{HEAD}detection: {{test: {{app: a}}, condition: other}}\n", "is no rule of Sigma"),
        (f"{HEAD}\n", "is no rule of Sigma"),
        ("[", "is no rule of Sigma"),
        (
            "title: x\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: a}\n",
            "a log that we do not know",
        ),
    ],
)
def test_import_refuses(text: str, words: str) -> None:
    with pytest.raises(SigmaError, match=words) as caught:
        from_sigma(text, "foreign.yml")
    assert caught.value.path == "foreign.yml"


def test_fields_are_named_by_the_user() -> None:
    text = (
        "title: x\nlogsource: {product: m365, service: exchange}\n"
        "detection: {a: {ClientAppId: c}, condition: a}\n"
    )
    made = from_sigma(text, "x", {"ClientAppId": "client_app"})
    assert made.where == Field("client_app", "is", ("c",))
    assert yaml.safe_load(to_yaml(to_sigma(made)))["detection"] == {
        "test1": {"client_app": "c"},
        "condition": "test1",
    }
