from __future__ import annotations

from pathlib import Path

import pytest

from immure.detections.condition import from_plain, to_plain
from immure.detections.errors import RuleError
from immure.detections.rule_files import all_rules, built_in, parse, read_rules
from immure.detections.rule_out import plain_rule, to_yaml
from immure.detections.rule_test import try_rules

RULE = b"""
id: my-rule
title: something
kind: row
about: mail
severity: low
description: something
by: [tenant]
where: {field: app, is: a1}
examples: [{app: A1}]
counter_examples: [{app: a2}, {}]
"""


def test_every_rule_finds_its_examples_and_no_counter_example() -> None:
    tried = list(try_rules(built_in()))
    assert [one for one in tried if not one.holds] == []
    assert {one.rule for one in tried} == {rule.id for rule in built_in()}


def test_an_example_that_is_not_found_is_said() -> None:
    (rule,) = parse(RULE.replace(b"{app: A1}", b"{app: a7}, {nonsense: 1}"), "x")
    tried = [(one.name, one.holds, one.words) for one in try_rules([rule])]
    assert tried[0] == ("example 1", False, "")
    assert tried[1] == ("example 2", False, "no column 'nonsense' of mail")
    assert all(holds for _, holds, _ in tried[2:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"id: my-rule", b"id: My Rule"), "id is words of small letters"),
        ((b"severity: low", b"severity: awful"), "severity is one of"),
        ((b"kind: row", b"kind: magic"), "kind is one of"),
        ((b"by: [tenant]", b"by: [tenent]"), "no column 'tenent' of mail"),
        ((b"by: [tenant]", b""), "by names what makes two findings one"),
        ((b"{field: app, is: a1}", b"{field: app, like: a1}"), "a test is a field and one of"),
        ((b"{field: app, is: a1}", b"{field: ape, is: a1}"), "no column 'ape' of mail"),
        ((b"{field: app, is: a1}", b"{field: app, matches: '('}"), "no regular expression"),
        ((b"{field: app, is: a1}", b"{field: throttled, is: 'true'}"), "throttled is a flag, and is held"),
        ((b"{field: app, is: a1}", b"{field: app, is: 7}"), "app is a text, and is held against a number"),
        ((b"{field: app, is: a1}", b"{field: folders, contains: Inbox}"), "folders is a list"),
        ((b"{field: app, is: a1}", b"{field: count, above: .inf}"), "a number that no column can have"),
        ((b"{field: app, is: a1}", b"{field: count, above: .nan}"), "a number that no column can have"),
        ((b"{field: app, is: a1}", b"{all: []}"), "all of a condition is a list"),
        ((b"{field: app, is: a1}", b"{field: app, above: x}"), "a value that it cannot have"),
        ((b"where: {field: app, is: a1}", b"sql: 'true; drop table x'"), "sql is one expression"),
        ((b"where: {field: app, is: a1}", b""), "either where or sql"),
        ((b"where: ", b"sql: 'true'\nwhere: "), "either where or sql, not both"),
        ((b"kind: row", b"kind: first-seen\nsql: 'true'"), "either where or sql, not both"),
        ((b"examples: [{app: A1}]", b"examples: []"), "examples is a list, with one at least"),
        ((b"title: something", b""), "a rule has no title"),
        ((b"title: something", b"title: something\ntitel: x"), "an unknown member 'titel'"),
        ((b"title: something", b"title: [x"), "is no YAML"),
        ((b"title: something", b"title: &a x\nreason: *a"), "has an alias in it"),
        ((b"title: something", b"title: !!python/object:os.system x"), "is no YAML"),
        ((RULE, b"- a\n- b"), "a rule is a document with named members"),
    ],
)
def test_what_is_no_rule_is_refused(change: tuple[bytes, bytes], words: str) -> None:
    with pytest.raises(RuleError, match=words) as caught:
        parse(RULE.replace(*change), "mine.yaml")
    assert caught.value.path == "mine.yaml"


def test_an_expression_that_the_engine_does_not_take_is_an_error_of_its_examples() -> None:
    (rule,) = parse(RULE.replace(b"where: {field: app, is: a1}", b"sql: nonsense(app)"), "x")
    assert all(not one.holds and "the engine says" in one.words for one in try_rules([rule]))


@pytest.mark.parametrize("sql", ["read_text('/etc/passwd') IS NOT NULL", "(SELECT 1 FROM '/etc/passwd') = 1"])
def test_a_rule_opens_no_file(sql: str) -> None:
    (rule,) = parse(RULE.replace(b"where: {field: app, is: a1}", f'sql: "{sql}"'.encode()), "x")
    assert all(one.words for one in try_rules([rule]))


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_bytes(RULE)
    with pytest.raises(RuleError, match="there is another rule 'my-rule'"):
        read_rules([tmp_path])
    (tmp_path / "b.yml").write_bytes(RULE.replace(b"my-rule", b"token-forged"))
    with pytest.raises(RuleError, match="token-forged"):
        all_rules([tmp_path])
    with pytest.raises(RuleError, match="cannot be read"):
        read_rules([tmp_path / "none.yaml"])


def test_rules_go_out_and_come_back() -> None:
    for rule in built_in():
        again = parse(to_yaml(plain_rule(rule)).encode(), rule.origin)
        assert again == [rule]


@pytest.mark.parametrize(
    ("plain", "sql"),
    [
        ({"field": "app", "is": ["a", "b"]}, "(lower(app) = 'a') OR (lower(app) = 'b')"),
        ({"field": "app", "contains": "it's"}, "contains(lower(app), 'it''s')"),
        ({"field": "count", "above": 3}, "count > 3"),
        ({"not": {"field": "external", "is": True}}, "NOT coalesce(external, false)"),
        ({"any": [{"field": "app", "missing": True}]}, "(app IS NULL)"),
    ],
)
def test_conditions_are_sql_and_come_back(plain: dict[str, object], sql: str) -> None:
    condition = from_plain(plain)
    assert condition.sql() == sql
    assert to_plain(condition) == plain
