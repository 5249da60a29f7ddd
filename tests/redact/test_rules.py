"""Rules for tokens, cookies and credentials: each is tried on the examples it brings along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.redact.fill import fill
from immure.redact.rules import TEXT_RULES, TextRule
from immure.redact.span import disjoint
from immure.redact.texts import TextEraser
from immure.scanning.chunks import Chunk
from immure.scanning.kernels.workspace import Workspace

ALL = TextEraser(TEXT_RULES)


def wide(text: bytes) -> bytes:
    return text.decode("latin-1").encode("utf-16-le")


def erased(eraser: TextEraser, data: bytes) -> bytes:
    """The data with everything filled that the eraser finds."""
    space = Workspace(len(data) + 64)
    space.view[: len(data)] = data
    space.set_length(len(data))
    result = bytearray(data)
    for span in disjoint(eraser.examine(space, Chunk(0, len(data), 0, len(data)))):
        result[span.offset : span.end] = fill(span.offset, span.length)
    return bytes(result)


@pytest.mark.parametrize("form", [lambda text: text, wide], ids=["ascii", "utf16le"])
@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.kind)
def test_examples_lose_their_secret_and_nothing_else(rule: TextRule, form) -> None:
    eraser = TextEraser([rule])
    for text, secret in rule.examples:
        for before in (b"", b"\0" * 7, b"some words, "):
            data = form(before + text + b"\0 and more words")
            result, hidden = erased(eraser, data), form(secret)
            at = data.index(hidden)
            assert result == data[:at] + fill(at, len(hidden)) + data[at + len(hidden) :], text


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.kind)
def test_counter_examples_stay(rule: TextRule) -> None:
    for text in rule.counter_examples:
        data = b"\0\0" + text + bytes(40)
        assert erased(TextEraser([rule]), data) == data, text


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.kind)
def test_every_rule_brings_examples_and_literals_that_the_search_takes(rule: TextRule) -> None:
    assert rule.examples
    assert rule.counter_examples
    assert all(len(literal) >= 4 for literal in rule.literals)
    for text, secret in rule.examples:
        assert secret in text
        assert any(literal in text for literal in rule.literals)


@given(
    st.lists(st.sampled_from([e for rule in TEXT_RULES for e, _ in rule.examples]), max_size=6),
    st.binary(max_size=9),
)
def test_erasing_twice_changes_nothing(texts: list[bytes], noise: bytes) -> None:
    once = erased(ALL, b"\0".join([noise, *texts, noise]))
    assert erased(ALL, once) == once


@given(st.binary(max_size=2000))
def test_any_bytes_are_taken(data: bytes) -> None:
    assert len(erased(ALL, data)) == len(data)


@pytest.mark.parametrize("literal", sorted({one for rule in TEXT_RULES for one in rule.literals}))
def test_a_text_of_nothing_but_literals_takes_no_long_time(literal: bytes) -> None:
    data = (literal * (60_000 // len(literal)))[:60_000]
    assert len(erased(ALL, data)) == len(data)
