"""The rules for credentials: each matches its examples, and none of its counter-examples."""

from __future__ import annotations

import random
import re
import string
import zlib
from pathlib import Path

import pytest

from immure.watching.credentials import CHECKS, documents, has_checksum

from .making import places, write_tree

pytest.importorskip("yara_x", reason="NOT TESTED: the extra yara is not installed")

from immure.watching.patterns import read_rules

from .test_patterns import look_with

SETS = {
    "alnum": string.ascii_letters + string.digits, "base32": string.ascii_uppercase + "234567",
    "digit": string.digits,
}  # fmt: skip
CASES = [
    pytest.param(rule["name"], example, matches, id=f"{rule['name']}-{word}-{number}")
    for rule in documents()
    for word, matches in (("examples", True), ("counter_examples", False))
    for number, example in enumerate(rule[word])
]


def filled(example: str, seed: int = 1) -> str:
    chance = random.Random(f"{example} {seed}")

    def fill(match: re.Match[str]) -> str:
        if match[1] == "checked":
            body = "".join(chance.choices(SETS["alnum"], k=30))
            return body + checksum(body)
        return "".join(chance.choices(SETS[match[1]], k=int(match[2])))

    return re.sub(r"\{(\w+)(?::(\d+))?\}", fill, example)


def checksum(body: str) -> str:
    """The plain way: divided once for each digit, from the most significant on."""
    value, digits = zlib.crc32(body.encode()), string.digits + string.ascii_uppercase + string.ascii_lowercase
    return "".join(digits[value // 62**power % 62] for power in range(5, -1, -1))


@pytest.mark.parametrize(("name", "example", "matches"), CASES)
def test_examples_and_counter_examples(tmp_path: Path, name: str, example: str, matches: bool) -> None:
    write_tree(tmp_path, {"a": filled(example).encode()})
    found = places(look_with(tmp_path, read_rules([], credentials=True)))
    assert (f"rule:immure:{name}" in found) is matches
    assert matches or not found, "nor does another rule"


def test_every_rule_is_a_whole_document() -> None:
    for rule in documents():
        assert set(rule) <= {
            "name",
            "description",
            "pattern",
            "context",
            "check",
            "examples",
            "counter_examples",
        }
        assert rule["examples"]
        assert rule["counter_examples"]
        assert rule.get("check", "crc32-base62") in CHECKS
    assert len({rule["name"] for rule in documents()}) == len(documents())


def test_of_random_tokens_none_has_a_checksum() -> None:
    chance = random.Random(3)
    tokens = ("ghp_" + "".join(chance.choices(SETS["alnum"], k=36)) for _ in range(10_000))
    assert not any(has_checksum(token.encode()) for token in tokens)
    for token in (b"", b"ghp_", b"ghp_1", b"\xff" * 40):
        assert not has_checksum(token)


def test_they_need_no_rules_of_the_user() -> None:
    assert read_rules([]) is None
    assert read_rules([], credentials=True) is not None
