"""Frames in any pieces, and what is no frame; key files that are none."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from immure.custody.keyholder.asking import key_info, key_infos
from immure.custody.keyholder.errors import HolderError, HolderFileError, HolderRequestError, error_from
from immure.custody.keyholder.held_key import HeldKey, Rules
from immure.custody.keyholder.protocol import (
    MOST_FRAME,
    MOST_MESSAGE,
    Frames,
    Op,
    decode_error,
    encode,
    encode_error,
    from_json,
    parse_sign_body,
    sign_body,
    to_json,
)
from immure.custody.keyholder.sealed import Seal, parse_body, parse_sealed, whole_file, write_body
from immure.registry.record import StateChange
from immure.registry.state import KeyState

from .making import rules

FRAMES = some.lists(
    some.tuples(some.sampled_from(list(Op)), some.integers(0, (1 << 64) - 1), some.binary(max_size=50)),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(frames=FRAMES, cut=some.integers(1, 20))
def test_frames_come_whole_out_of_any_pieces(frames, cut):
    stream = b"".join(encode(*one) for one in frames)
    parser, found = Frames(), []
    for at in range(0, len(stream), cut):
        found += parser.feed(stream[at : at + cut])
    assert [tuple(one) for one in found] == frames


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x09\x01\x01" + bytes(8),
        (MOST_FRAME + 1).to_bytes(4, "big") + b"\x01\x01" + bytes(8),
        b"\0\0\0\x0a\x02\x01" + bytes(8),
        b"\0\0\0\x0a\x01\x63" + bytes(8),
        b"\xff" * 20,
    ],
)
def test_what_is_no_frame(data):
    with pytest.raises(HolderRequestError, match="a frame of version"):
        list(Frames().feed(data))


@settings(max_examples=200, deadline=None)
@given(data=some.binary(max_size=60))
def test_requests_of_foreign_bytes(data):
    for parse in (lambda one: list(Frames().feed(one)), parse_sign_body, from_json, key_infos):
        with suppress(HolderError):
            parse(data)


def test_bounds_of_requests():
    assert parse_sign_body(sign_body("k", "token", b"m")) == ("k", "token", b"m")
    for kid, purpose, message in (
        ("", "token", b""),
        ("k" * 129, "token", b""),
        ("k", "", b""),
        ("k", "token", bytes(MOST_MESSAGE + 1)),
    ):
        with pytest.raises(HolderRequestError):
            sign_body(kid, purpose, message)
    for body in (
        b"",
        b"\x05k",
        b"\x01k\x09token",
        b"\x01k\x01t" + bytes(MOST_MESSAGE + 1),
        b"\0\0",
        b"\1\xff\1t",
    ):
        with pytest.raises(HolderRequestError):
            parse_sign_body(body)
    with pytest.raises(HolderRequestError):
        encode(Op.OK, 0, bytes(MOST_FRAME))


def test_errors_travel():
    error = error_from("holder-issuer", "no")
    again = decode_error(encode_error(1, error)[14:], "keys.sealed")
    assert (type(again), again.reason, again.path) == (type(error), "no", "keys.sealed")
    assert type(error_from("something new", "no")) is HolderError
    assert decode_error(b"{}", "k").code == "holder-request"


SPKI = bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)
SEAL = Seal((1 << 10, 8, 1), (bytes(16),))


def held(**changes) -> HeldKey:
    made = StateChange(KeyState.ACTIVE, datetime(2026, 11, 25, tzinfo=UTC), "made")
    arguments = {"kid": "k", "rules": rules("EdDSA"), "spki": SPKI, "origin": "generated", "history": (made,)}
    return HeldKey(**(arguments | {"sealed": b"x" * 76, "reserved": 7} | changes))


def file_of(*keys: HeldKey, seal: Seal = SEAL) -> bytes:
    return whole_file(seal.header() + b"\n" + write_body(3, list(keys)), bytes(32))


def test_a_key_file_is_read_as_it_was_written():
    sealed = parse_sealed(file_of(held(), held(kid="l", rules=rules("EdDSA", quota=5))), "f")
    assert sealed.seal == SEAL
    version, keys = parse_body(sealed.body, "f")
    assert version == 3
    assert [key.to_plain() for key in keys] == [
        held().to_plain(),
        held(kid="l", rules=rules("EdDSA", quota=5)).to_plain(),
    ]
    assert keys[0].used == 7
    assert key_info(keys[0].describe()).rules == held().rules
    assert "private" not in keys[0].describe()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: b"", "three lines"),
        (lambda text: text + b"\n", "three lines"),
        (lambda text: text.replace(b"immure-keyholder-1", b"immure-keyholder-9"), "another format"),
        (lambda text: text.replace(b'"n":1024', b'"n":1000'), "numbers that are not taken"),
        (lambda text: text.replace(b'"n":1024', b'"n":4194304'), "numbers that are not taken"),
        (lambda text: text.replace(b'"n":1024', b'"n":true'), "malformed"),
        (lambda text: text.replace(b'"p":1', b'"p":99'), "numbers that are not taken"),
        (lambda text: text.replace(b'["' + b"00" * 16, b'["' + b"00" * 15), "malformed"),
        (lambda text: text.replace(b'"kdf"', b'"kdg"'), "has no 'format'|has no|is of another"),
        (lambda text: text[:-2] + b"g\n", "no code"),
        (lambda text: b"{" * 9 + text, "not JSON"),
    ],
)
def test_what_is_no_key_file(change, words):
    with pytest.raises(HolderFileError, match=words):
        parse_sealed(change(file_of(held())), "f")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body | {"version": -1}, "number of its version"),
        (lambda body: body | {"keys": body["keys"] * 2}, "two keys of one kid"),
        (lambda body: body | {"keys": body["keys"] * 49}, "list of up to"),
        (lambda body: body | {"more": 1}, "no member 'more'"),
        (lambda body: {"version": 1, "keys": [body["keys"][0] | {"history": []}]}, "has no state"),
        (lambda body: {"version": 1, "keys": [body["keys"][0] | {"public": "AAAA"}]}, "public half"),
        (lambda body: {"version": 1, "keys": [body["keys"][0] | {"private": "?"}]}, "not base64"),
        (lambda body: {"version": 1, "keys": [body["keys"][0] | {"signed": -1}]}, "not a count"),
        (lambda body: {"version": 1, "keys": [body["keys"][0] | {"kid": ""}]}, "no kid"),
        (lambda body: {"version": 1, "keys": [body["keys"][0] | {"rules": {}}]}, "has no 'algorithm'"),
    ],
)
def test_what_are_no_keys(change, words):
    body = json.loads(write_body(1, [held()]))
    with pytest.raises(HolderFileError, match=words):
        parse_body(to_json(change(body)), "f")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"purposes": frozenset()}, "purposes are some of"),
        ({"purposes": frozenset({"raw"})}, "purposes are some of"),
        ({"purposes": frozenset({"token", "note"})}, "no other purpose"),
        ({"most_seconds": 0}, "makes no sense"),
        ({"quota": -1}, "makes no sense"),
        ({"audiences": {str(i): frozenset() for i in range(1001)}}, "audiences"),
        ({"scope": {"algorithms": frozenset({"RS256"})}}, "does not have the algorithm"),
    ],
)
def test_rules_that_say_nothing(changes, words):
    made: Rules = rules(**changes)
    with pytest.raises(HolderRequestError, match=words):
        made.check()


@settings(max_examples=200, deadline=None)
@given(at=some.integers(0, 10_000), bit=some.integers(0, 7))
def test_a_key_file_with_a_bit_changed_is_read_or_refused(at, bit):
    data = bytearray(file_of(held()))
    data[at % len(data)] ^= 1 << bit
    with suppress(HolderError):
        parse_body(parse_sealed(bytes(data), "f").body, "f")
