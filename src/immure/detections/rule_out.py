"""Rules as YAML, to be read again by :mod:`immure.detections.rule_files`."""

from __future__ import annotations

from typing import Any

from immure.detections.condition import to_plain
from immure.detections.libraries import library
from immure.detections.rule import Rule


def plain_rule(rule: Rule) -> dict[str, Any]:
    """The rule as a document states it."""
    made: dict[str, Any] = {
        "id": rule.id,
        "title": rule.title,
        "kind": rule.kind,
        "about": rule.about,
        "severity": rule.severity,
        "description": rule.description,
    }
    for name, values in (("references", rule.references), ("attack", rule.attack), ("by", rule.by)):
        if values:
            made[name] = list(values)
    if rule.where is not None:
        made["where"] = to_plain(rule.where)
    elif rule.sql:
        made["sql"] = rule.sql
    if rule.reason:
        made["reason"] = rule.reason
    if rule.parameters:
        made["parameters"] = dict(rule.parameters)
    made["examples"] = list(rule.examples)
    made["counter_examples"] = list(rule.counter_examples)
    return made


def to_yaml(plain: dict[str, Any]) -> str:
    """A document of YAML."""
    text: str = library("yaml").safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return text
