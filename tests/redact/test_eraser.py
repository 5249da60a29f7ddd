"""The search for pieces of secrets, against a slow reference, and with pieces planted anywhere."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.dumps.detect import parse_image
from immure.dumps.dump import Image
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.errors import RedactionError
from immure.redact.eraser import Eraser, find_spans, loose_spans
from immure.redact.needles import Needle, needles_of, needles_of_secret, unique
from immure.redact.options import NamedSecret
from immure.redact.span import Span, disjoint
from immure.scanning.proofs import proof_of_private
from immure.secret import Secret
from immure.synth import CoreThread, Segment, build_elf_core, ordinary_memory
from scanning.material import private

KINDS = ("RSA-1024", "RSA-2048", "P-256", "P-521", "Ed25519", "X448")
PASSWORD = NamedSecret("db", Secret(b"swordfish-7"))
SYMMETRIC = NamedSecret("hs256", Secret(random.Random(5).randbytes(40)))


@cache
def needles(kind: str) -> tuple[Needle, ...]:
    return tuple(unique(needles_of(proof_of_private(private(kind), "here", 0), kind)))


@cache
def eraser(kind: str) -> Eraser:
    return Eraser(needles(kind))


def spans_of(data: bytes, looks: Eraser, chunk_bytes: int = 1 << 16) -> list[Span]:
    image = parse_image("x", BytesReader(data), Limits())
    return disjoint(find_spans(image, [looks.examine], threads=1, chunk_bytes=chunk_bytes, most=100_000))


def covered(spans: list[Span]) -> set[int]:
    return {offset for span in spans for offset in range(span.offset, span.end)}


def is_dull(piece: bytes) -> bool:
    """Whether eight bytes of it are a word that stands everywhere in memory, as the top one of P-521 does:
    nothing can be found by that."""
    words = (int.from_bytes(piece[at : at + 8], "little", signed=True) for at in range(len(piece) - 7))
    return any(abs(word) <= 1 << 48 for word in words)


def reference(data: bytes, some: tuple[Needle, ...], least: int) -> set[int]:
    """Every byte of ``data`` that belongs to ``least`` bytes of a number as machines hold it; no word of them
    is dull."""
    pieces = {
        n.data[at : at + least]
        for n in some
        if n.least == 8 < n.length and n.kind != "key"
        for at in range(n.length - least + 1)
        if not is_dull(n.data[at : at + least])
    }
    return {
        offset
        for at in range(len(data) - least + 1)
        if data[at : at + least] in pieces
        for offset in range(at, at + least)
    }


@given(st.sampled_from(KINDS), st.data())
def test_every_piece_of_fifteen_bytes_is_found_at_any_place(kind: str, data: st.DataObject) -> None:
    machine = [n for n in needles(kind) if n.least == 8 and n.length >= 15]
    image = bytearray(random.Random(data.draw(st.integers(0, 99))).randbytes(4096))
    for _ in range(3):
        needle = data.draw(st.sampled_from(machine))
        length = data.draw(st.integers(15, needle.length))
        inside = data.draw(st.integers(0, needle.length - length))
        at = data.draw(st.integers(0, len(image) - length))
        image[at : at + length] = needle.data[inside : inside + length]
    assert reference(bytes(image), needles(kind), 15) <= covered(spans_of(bytes(image), eraser(kind)))


@given(st.sampled_from(KINDS), st.data())
def test_every_writing_is_found_whole(kind: str, data: st.DataObject) -> None:
    needle = data.draw(st.sampled_from(needles(kind)))
    image = bytearray(ordinary_memory(1 << 15, seed=2))
    # words are found where machines put them; of V8's digits every other half word is zeros
    align = 8 if needle.length < 16 or needle.encoding == "smi28" else 1
    at = data.draw(st.integers(0, (len(image) - needle.length) // align)) * align
    image[at : at + needle.length] = needle.data[: needle.length]
    assert set(range(at, at + needle.length)) <= covered(spans_of(bytes(image), eraser(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_erased_where_no_key_is(kind: str) -> None:
    assert spans_of(bytes(ordinary_memory(1 << 20, seed=3)), eraser(kind)) == []
    assert spans_of(random.Random(9).randbytes(1 << 20), eraser(kind)) == []


@given(st.integers(0, 3000), st.sampled_from([4096, 8192, 1 << 16]))
def test_spans_do_not_depend_on_chunks(at: int, chunk_bytes: int) -> None:
    image = bytearray(random.Random(4).randbytes(40_000))
    prime = next(n for n in needles("RSA-2048") if (n.kind, n.encoding) == ("p", "le64"))
    for start in (at, 4096 - 50 + at % 90, 35_000):
        image[start : start + prime.length] = prime.data
    found = spans_of(bytes(image), eraser("RSA-2048"), chunk_bytes)
    assert found == spans_of(bytes(image), eraser("RSA-2048"), 1 << 20)
    assert {35_000, at} <= covered(found)


def test_public_numbers_stay() -> None:
    key = private("RSA-2048")
    n = key.public.n.to_bytes(256, "little")
    assert spans_of(bytes(64) + n + bytes(64) + n[::-1], eraser("RSA-2048")) == []


@pytest.mark.parametrize("offset", range(8))
def test_a_word_in_a_register_is_found_however_the_notes_are_aligned(offset: int) -> None:
    prime = private("RSA-2048").p.reveal()
    word = prime >> 512 & 2**64 - 1
    notes = bytes(offset) + word.to_bytes(8, "little")
    built = build_elf_core(
        [Segment(0x1000, bytes(4096))], threads=[CoreThread(7)], files=[(0x1000, 0x2000, "/x")]
    )
    data = bytearray(built.data)
    image = parse_image("x", BytesReader(bytes(data)), Limits())
    region = next(region for region in image.regions if region.kind == "notes")
    at = region.offset + 40
    data[at : at + len(notes)] = notes
    image = parse_image("x", BytesReader(bytes(data)), Limits())
    spans = spans_of(bytes(data), eraser("RSA-2048")) + loose_spans(image, eraser("RSA-2048"))
    assert set(range(at + offset, at + offset + 8)) <= covered(spans)


@pytest.mark.parametrize(
    "write", [bytes, bytes.hex, lambda value: value.decode("latin-1").encode("utf-16-le")]
)
def test_secrets_of_which_the_bytes_are_known_are_found(write) -> None:
    looks = Eraser(unique(needles_of_secret(SYMMETRIC)), [PASSWORD, SYMMETRIC])
    for secret in (PASSWORD, SYMMETRIC):
        value = secret.value.reveal()
        text = write(value) if write is not bytes.hex else value.hex().encode()
        if secret is SYMMETRIC and len(text) == 80 and write is not bytes.hex:
            continue  # bytes that are no text are not written as UTF-16
        data = bytes(37) + text + bytes(37)
        assert set(range(37, 37 + len(text))) <= covered(spans_of(data, looks)), secret.name


@pytest.mark.parametrize("before", range(3))
def test_a_password_in_base64_is_found_at_every_phase(before: int) -> None:
    import base64

    text = base64.b64encode(b"xyz"[:before] + PASSWORD.value.reveal())
    found = covered(spans_of(b"    " + text + bytes(50), Eraser([], [PASSWORD])))
    assert len(found) >= 8 * 11 // 6 - 1


def test_needles_do_not_show_what_they_hold() -> None:
    needle = next(n for n in needles("RSA-2048") if n.kind == "p")
    assert needle.data.hex() not in repr(needle)
    assert repr(needle.data)[2:20] not in repr(needle)


def test_too_many_places_are_refused() -> None:
    word = next(n for n in needles("RSA-1024") if (n.kind, n.encoding) == ("p", "le64")).data[8:16]
    image = parse_image("x", BytesReader((word + bytes(8)) * 200), Limits())
    with pytest.raises(RedactionError, match="more than 100 places"):
        find_spans(image, [eraser("RSA-1024").examine], threads=1, chunk_bytes=4096, most=100)


def test_what_cannot_be_read_is_refused() -> None:
    class Broken(BytesReader):
        def read_into(self, offset: int, view: memoryview) -> int:
            return super().read_into(offset, view[: max(0, 5000 - offset)])

    image = Image(
        "x", "raw", Broken(bytes(9000)), parse_image("x", BytesReader(bytes(9000)), Limits()).regions
    )
    with pytest.raises(RedactionError, match="cannot be read"):
        find_spans(image, [eraser("RSA-1024").examine], threads=1, chunk_bytes=1 << 16, most=100)
