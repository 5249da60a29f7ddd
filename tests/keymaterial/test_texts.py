"""Runs of base64 and hex: decoded at every phase, searched for structures, mapped back to the text."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.structures import PrivateHit
from immure.keymaterial.texts import TextKind, decode_text_runs, structures_in_text

from . import formats, keys

WIDE = (TextKind.BASE64_UTF16LE, TextKind.HEX_UTF16LE)
HEX = (TextKind.HEX, TextKind.HEX_UTF16LE)
NAMES = ("base64", "hex", "base64-utf16le", "hex-utf16le")


def write(data: bytes, kind: TextKind, *, url: bool = False) -> bytes:
    if kind in HEX:
        text = data.hex().encode()
    else:
        text = (base64.urlsafe_b64encode(data) if url else base64.b64encode(data)).rstrip(b"=")
    return text.decode().encode("utf-16-le") if kind in WIDE else text


def pad(count: int, kind: TextKind) -> bytes:
    return (b"a\0" if kind in WIDE else b"a") * count


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=200), kind=st.sampled_from(TextKind), url=st.booleans(), shift=st.integers(0, 7)
)
def test_one_phase_is_the_data(data: bytes, kind: TextKind, url: bool, shift: int) -> None:
    text = pad(shift, kind) + write(data, kind, url=url)
    buffer = b"\xff" * 5 + text + b"\xff" * 5
    runs = list(decode_text_runs(buffer, 5, len(text), kind))
    assert len(runs) == (2 if kind in HEX else 4)
    unit = 2 if kind in HEX else 4
    run = runs[shift % unit]
    before = shift // unit * (1 if kind in HEX else 3)
    assert run.data[before:] == data
    if data:
        place, length = run.span(before, len(data))
        assert buffer[place : place + length] == write(data, kind, url=url)


@pytest.mark.parametrize("kind", TextKind)
@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("key", ["RSA-1024", "P-256", "Ed25519"])
def test_keys_in_text_are_found(kind: TextKind, shift: int, key: str) -> None:
    planted = formats.pkcs8(keys.key(key))
    text = write(planted, kind)
    buffer = b"\xff" * 9 + pad(shift, kind) + text + b"\xff" * 9
    hits = list(structures_in_text(memoryview(buffer), 9, len(buffer) - 18, kind))
    wanted = (f"{NAMES[kind - 1]}:pkcs8-der", 9 + len(pad(shift, kind)), len(text))
    (hit,) = [hit for hit in hits if (hit.encoding, hit.offset, hit.length) == wanted]
    assert isinstance(hit, PrivateHit)
    assert hit.private.public == keys.numbers(keys.key(key))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\\n", b"\\r\\n", b"\n   "])
@pytest.mark.parametrize("kind", TextKind)
def test_keys_that_span_lines_are_found_from_their_first_line(line_end: bytes, kind: TextKind) -> None:
    flat = (
        formats.pkcs8(keys.key("RSA-1024")).hex().encode()
        if kind in HEX
        else write(formats.pkcs8(keys.key("RSA-1024")), TextKind.BASE64)
    )
    text = line_end.join(flat[at : at + 76] for at in range(0, len(flat), 76))
    first = 76 * (2 if kind in WIDE else 1)
    text = text.decode().encode("utf-16-le") if kind in WIDE else text
    buffer = b"\xff" * 3 + text + b"\xff" * 3
    hits = [hit for hit in structures_in_text(buffer, 3, first, kind) if hit.encoding.endswith(":pkcs8-der")]
    assert [(hit.offset, hit.length) for hit in hits] == [(3, len(text))]
    whole = next(decode_text_runs(buffer, 3, len(text), kind))
    assert whole.data == formats.pkcs8(keys.key("RSA-1024"))


def test_a_pem_file_in_base64_is_found() -> None:
    text = base64.b64encode(b"tls.key: " + formats.pkcs8_pem(keys.key("P-256")))
    (hit,) = structures_in_text(text, 0, len(text), TextKind.BASE64)
    assert (hit.encoding, hit.offset) == ("base64:pem", 12)


@settings(max_examples=200, deadline=None)
@given(
    buffer=st.binary(max_size=300),
    start=st.integers(0, 300),
    length=st.integers(0, 400),
    kind=st.sampled_from(TextKind),
)
def test_runs_that_are_none_do_no_harm(buffer: bytes, start: int, length: int, kind: TextKind) -> None:
    assert not [
        hit for hit in structures_in_text(buffer, start, length, kind) if getattr(hit, "proved", False)
    ]
    list(decode_text_runs(buffer, start, length, kind))


def test_random_text_holds_nothing() -> None:
    text = base64.b64encode(random.Random(1).randbytes(200_000))
    assert list(structures_in_text(text, 0, len(text), TextKind.BASE64)) == []
