"""The independent scan: no part of fifteen bytes of any number escapes it, wherever it stands."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.dumps.dump import Image, Reader
from immure.dumps.readers import BytesReader
from immure.errors import UsageError
from immure.redact.prove import ByteSecret, ProveOptions, scan
from immure.redact.prove.kernels.probe import Needle, Prober
from immure.secret import Secret

from .material import KINDS, NO_DEBUGGER, all_strings, erased, image, key, lonely, noise, planted, string

PAGE = 4096


def places(data: bytes, kind: str, options: ProveOptions = NO_DEBUGGER) -> list[tuple[int, int]]:
    part, _ = scan(image(data), [key(kind)], options=options)
    return [(fragment.offset, fragment.length) for fragment in part.fragments]


def test_nothing_is_found_where_nothing_is() -> None:
    part, residue = scan(image(bytes(noise(1 << 16))), [key(kind) for kind in KINDS], options=NO_DEBUGGER)
    assert (part.status, part.fragments, residue.status, residue.pieces) == ("ok", (), "ok", ())
    assert part.searched_bytes == 1 << 16
    assert 0 < part.chance < 2**-60
    assert 0 < residue.chance < 2**-30


@pytest.mark.parametrize("kind", ["RSA-1024", "P-256", "Ed25519"])
def test_fifteen_bytes_at_every_alignment(kind: str) -> None:
    """The shortest part that counts, of the first secret number in both byte orders, at all offsets."""
    name = all_strings(kind)[0].number.name
    for encoding in ("le", "be"):
        data = string(kind, name, encoding).data
        for shift in range(64):
            at = shift % (len(data) - 15)
            memory = bytes(planted([(PAGE - 32 + shift, data[at : at + 15])], size=2 * PAGE))
            ((start, length),) = places(memory, kind)  # the noise around it may agree with a byte more
            assert start <= PAGE - 32 + shift
            assert start + length >= PAGE - 32 + shift + 15


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(KINDS), data=st.data(), seed=st.integers(0, 5))
def test_a_part_of_any_number_in_any_encoding_is_found(kind: str, data: st.DataObject, seed: int) -> None:
    writing = data.draw(st.sampled_from([one for one in all_strings(kind) if not one.number.words_only]))
    length = data.draw(st.integers(min(len(writing.data), max(8, writing.least)), len(writing.data)))
    at = data.draw(st.integers(0, len(writing.data) - length))
    offset = data.draw(st.integers(0, 3 * PAGE - length))
    part = writing.data[at : at + length]
    if Prober([Needle(part, min(length, max(8, writing.least)))]).facts.bare:
        return  # nothing but zeros somewhere in it, which tell nothing
    found = places(bytes(planted([(offset, part)], 3 * PAGE, seed)), kind)
    assert any(start <= offset and offset + length <= start + size for start, size in found), writing


@settings(max_examples=40, deadline=None)
@given(
    chunk=st.sampled_from([1 << 9, 1 << 10, 1 << 12, 1 << 20]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_borders_of_chunks_and_threads_make_no_difference(chunk: int, threads: int, seed: int) -> None:
    chance = random.Random(seed)
    parts = []
    for _ in range(chance.randrange(12)):
        data = chance.choice(all_strings("RSA-1024")).data
        start = chance.randrange(len(data))
        parts.append((chance.randrange(7 * PAGE), data[start : chance.randrange(start, len(data)) + 1]))
    memory = bytes(planted(parts, 8 * PAGE, seed))
    options = ProveOptions(debugger=False, chunk_bytes=chunk, threads=threads)
    both = [scan(image(memory), [key("RSA-1024")], options=how) for how in (options, NO_DEBUGGER)]
    assert both[0][0].fragments == both[1][0].fragments
    assert (both[0][1].pieces, [k.bits_left for k in both[0][1].keys]) == (
        both[1][1].pieces,
        [k.bits_left for k in both[1][1].keys],
    )


def test_a_part_is_described() -> None:
    data = lonely(string("P-256", "d", "be").data, 5, 20)
    part, _ = scan(image(bytes(planted([(299, data)]))), [key("P-256")], options=NO_DEBUGGER)
    (fragment,) = part.fragments
    assert (fragment.offset, fragment.length, fragment.at) == (300, 20, 5)
    assert (fragment.number, fragment.encoding, len(fragment.key)) == ("d", "be", 43)
    assert part.reason == "1 part is still there of secret numbers, the first at offset 0x12c"


def test_holes_are_not_read() -> None:
    data = string("P-256", "d", "le").data

    class Sparse(BytesReader):
        """Says that everything but two pages is a hole, and refuses to read it."""

        def extents(self, start: int, stop: int):
            for first, last in ((PAGE, 2 * PAGE), (1 << 20, (1 << 20) + PAGE)):
                if max(first, start) < min(last, stop):
                    yield max(first, start), min(last, stop)

        def read_into(self, offset: int, view: memoryview) -> int:
            assert list(self.extents(offset, offset + len(view))) == [(offset, offset + len(view))]
            return super().read_into(offset, view)

    memory = bytearray(2 << 20)
    memory[2 * PAGE - 40 : 2 * PAGE - 8] = data
    memory[(1 << 20) + 8 : (1 << 20) + 40] = data
    sparse = Image("sparse", "raw", Sparse(memory), ())
    part, _ = scan(sparse, [key("P-256")], options=ProveOptions(debugger=False))
    assert [fragment.offset for fragment in part.fragments] == [2 * PAGE - 40, (1 << 20) + 8]
    assert part.searched_bytes < 2 << 20


def test_a_number_that_begins_in_a_hole() -> None:
    """Its first byte is zero and stands in the hole, and so does the only window; a chunk ends between."""
    data = b"\0" + bytes(range(200, 207))
    secret = ByteSecret("token", Secret(data))

    class Sparse(BytesReader):
        def extents(self, start: int, stop: int):
            if max(PAGE, start) < min(2 * PAGE, stop):
                yield max(PAGE, start), min(2 * PAGE, stop)

    memory = bytearray(2 * PAGE)
    memory[PAGE - 1 : PAGE + 7] = data
    sparse = Image("sparse", "raw", Sparse(memory), ())
    part, _ = scan(sparse, [secret], options=NO_DEBUGGER)
    assert [(fragment.offset, fragment.length) for fragment in part.fragments] == [(PAGE - 1, 8)]


def test_what_cannot_be_read_fails() -> None:
    class Broken(BytesReader):
        def read_into(self, offset: int, view: memoryview) -> int:
            return super().read_into(offset, view[: max(0, 5000 - offset)])

    broken: Reader = Broken(noise(8192))
    part, _ = scan(Image("broken", "raw", broken, ()), [key("P-256")], options=NO_DEBUGGER)
    assert (part.status, part.reason) == ("failed", "bytes at offset 0x1388 cannot be read")


@pytest.mark.parametrize("length", [6, 7, 8, 14, 15, 16, 200])
def test_plain_secrets_of_any_length(length: int) -> None:
    value = bytes(random.Random(length).choices(b"abcdefghijklmnopqrstuvwxyz!#%", k=length))
    secret = ByteSecret("password", Secret(value))
    for written in (value, value.hex().encode(), value.decode().encode("utf-16-le")):
        memory = bytes(planted([(PAGE - 3, written)]))
        part, _ = scan(image(memory), [secret], options=NO_DEBUGGER)
        assert [(fragment.offset, fragment.key) for fragment in part.fragments] == [(PAGE - 3, "password")]
        clean, _ = scan(image(erased(memory, [(PAGE - 3, len(written))])), [secret], options=NO_DEBUGGER)
        assert clean.status == "ok"


def test_a_long_plain_secret_takes_no_long_time() -> None:
    value = random.Random(5).randbytes(1 << 18)
    part, _ = scan(
        image(bytes(planted([(9, lonely(value, 77_777, 23))]))),
        [ByteSecret("blob", Secret(value))],
        options=NO_DEBUGGER,
    )
    assert [(fragment.offset, fragment.length) for fragment in part.fragments] == [(10, 23)]


@pytest.mark.parametrize("secret", [ByteSecret("short", Secret(b"12345")), b"bytes", 7])
def test_what_is_no_secret(secret: object) -> None:
    with pytest.raises(UsageError):
        scan(image(bytes(100)), [secret])  # type: ignore[list-item]


def test_an_octet_key_pair_as_a_pair() -> None:
    known = key("scalar")
    data = known.scalar.reveal()  # type: ignore[union-attr]
    pair = (known.public, data)  # type: ignore[union-attr]
    part, _ = scan(image(bytes(planted([(98, lonely(data, 0, 20))]))), [pair], options=NO_DEBUGGER)
    assert [(fragment.offset, fragment.number) for fragment in part.fragments] == [(99, "scalar")]


def test_a_flood_of_parts_ends_early() -> None:
    data = string("P-256", "d", "le").data[:16]
    options = ProveOptions(debugger=False, chunk_bytes=1 << 12, most_fragments=100)
    part, _ = scan(image((data + b"\xa5") * 50_000), [key("P-256")], options=options)
    assert part.status == "failed"
    assert part.searched_bytes < 1 << 14
