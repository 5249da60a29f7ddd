"""Long runs of base64 and hex characters, and what they decode to."""

from __future__ import annotations

import base64
import json
import random
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from immure.scanning.kernels import reference
from immure.scanning.kernels.strings import text_decode, text_runs

from .memory import MEMORIES, SEEDS, loaded, native, room_for, runs_in, stretch, whole

BASE64, HEX, WIDE_BASE64, WIDE_HEX = 1, 2, 3, 4
Text = tuple[int, int, int]


def secret(length: int, seed: int = 0) -> bytes:
    """Base64 characters of random bytes."""
    return base64.b64encode(random.Random(seed).randbytes(length + 3))[:length]


def wide(text: bytes) -> bytes:
    return text.decode("ascii").encode("utf-16-le")


def everywhere(memory: bytes, min_chars: int = 42) -> list[Text]:
    """The kernel's texts with one run over the whole buffer."""
    space = loaded(memory)
    space.strict = native(whole(memory))
    return text_runs(space, pad=0, min_chars=min_chars)


def padded(memory: bytes) -> bytes:
    return memory + bytes(-len(memory) % 8)


S = secret(64)
H = random.Random(1).randbytes(32).hex().encode()
TOKEN = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "2026-07"}).encode())


@pytest.mark.parametrize(
    ("memory", "texts"),
    [
        (b"", []),
        (S, [(0, 64, BASE64)]),
        (b"  " + S + b"==", [(2, 64, BASE64)]),
        (S[:42], [(0, 42, BASE64)]),
        (S[:41], []),
        (b"." + S.replace(b"+", b"-").replace(b"/", b"_") + b".", [(1, 64, BASE64)]),
        (TOKEN.rstrip(b"=") + b"." + S, []),  # a signature
        (TOKEN + b"." + S, []),
        (S[:42] + b"." + S, [(0, 42, BASE64), (43, 64, BASE64)]),  # before the dot is no JSON object
        (TOKEN[:28] + b"." + S, [(29, 64, BASE64)]),  # and here it is too short
        (TOKEN + b":" + S, [(1 + len(TOKEN), 64, BASE64)]),
        (wide(S), [(0, 128, WIDE_BASE64)]),
        (b"\1" + wide(S)[:-1], [(1, 126, WIDE_BASE64)]),  # the zero of the last character is missing
        (b"\1" + wide(S[:42]), [(1, 84, WIDE_BASE64)]),
        (b"\1" + wide(S[:41]) + b"\1", []),
        (H, [(0, 64, HEX)]),
        (H.upper(), [(0, 64, HEX)]),
        (wide(H), [(0, 128, WIDE_HEX)]),
        (H[:41], []),
        (S + b"\n" + S, [(0, 64, BASE64), (65, 64, BASE64)]),
        (S + b"\0" + S, [(0, 64, BASE64), (65, 64, BASE64)]),
        (b"GwQz" + H, [(4, 64, HEX), (0, 68, BASE64)]),  # four other characters: base64 as well
        (b".wQz" + H, [(4, 64, HEX)]),  # three: no
        (H + b"-" + H, [(0, 64, HEX), (65, 64, HEX)]),
        (b"a" * 100, [(0, 100, HEX)]),
        (b"q" * 100, []),
        (string.ascii_lowercase.encode() * 4, []),  # one case
        (string.ascii_uppercase.encode() * 4, []),
        ((b"abcdefghiABCDEFGHI" * 4), [(0, 72, BASE64)]),  # 18 different ones
        ((b"abcdefghiABCDEFGH" * 4), []),  # 17
        (TOKEN.rstrip(b"="), []),  # decodes to text
        (TOKEN[:30] + S, [(0, 94, BASE64)]),  # no more within 32 characters
        (TOKEN[:32] + S, []),
        (S[:50] + wide(S), [(0, 51, BASE64), (52, 126, WIDE_BASE64)]),  # the character between is taken once
        (wide(S) + S, [(0, 128, WIDE_BASE64), (128, 64, BASE64)]),
        (b"\xff" * 64 + S[:3], []),
    ],
)
def test_texts(memory: bytes, texts: list[Text]) -> None:
    assert reference.text_runs(padded(memory)) == texts
    assert everywhere(memory) == texts


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("chars", [42, 43, 64, 85, 86, 200])
@pytest.mark.parametrize("tail", [0, 1, 60])
def test_at_every_offset(width: int, chars: int, tail: int) -> None:
    """Texts are seen by blocks of 64 bytes, of which two are looked at."""
    text = secret(chars, 3) if width == 1 else wide(secret(chars, 3))
    for start in range(140):
        memory = b"\x01" * start + text + b"\x01" * tail
        assert everywhere(memory) == [(start, len(text), 2 * width - 1)]


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=10), SEEDS, st.sampled_from([42, 43, 60, 100]))
@example([b""], 0, 42)
@settings(deadline=None, max_examples=200)
def test_texts_side_by_side(between: list[bytes], seed: int, min_chars: int) -> None:
    rng = random.Random(seed)
    memory = b"".join(text_piece(rng) + gap for gap in between)
    expected = reference.text_runs(padded(memory), min_chars)
    assert everywhere(memory, min_chars) == expected
    space = loaded(memory)
    space.strict = native(whole(memory))
    most = max((1 + len(expected)), 1)
    with room_for(space, most, 3):
        assert text_runs(space, pad=0, min_chars=min_chars) == expected


def text_piece(rng: random.Random) -> bytes:
    length = rng.choice([1, 5, 20, 21, 22, 41, 42, 43, 44, 60, 64, 65, 127, 128, 129])
    text = rng.choice(
        [secret(length, rng.getrandbits(20)), rng.randbytes(length).hex().encode()[:length], b"Ab" * length]
    )
    return rng.choice([text, wide(text), wide(text)[:-1], wide(text)[1:]])


@given(MEMORIES)
@settings(deadline=None, max_examples=200)
def test_any_memory_with_its_own_runs(memory: bytes) -> None:
    """Text is never dull, so all of it lies in runs: what stands outside of them need not be looked at."""
    space = loaded(memory)
    space.find_runs()
    assert text_runs(space, pad=16, min_chars=42) == reference.text_runs(padded(memory))


@given(MEMORIES, SEEDS, st.sampled_from([0, 8, 16, 50]))
@settings(deadline=None, max_examples=200)
def test_any_memory_with_any_runs(memory: bytes, seed: int, pad: int) -> None:
    """Everything written is a text of the memory; no text that lies in a run is left out."""
    rng = random.Random(seed)
    memory += text_piece(rng) + stretch("zeros", rng.randrange(20), 0)
    runs = runs_in(memory, rng)
    space = loaded(memory)
    space.strict = native(runs)
    got = text_runs(space, pad=pad, min_chars=42)
    every = reference.text_runs(padded(memory))
    assert len(got) == len(set(got))
    assert all(start + length <= space.length for start, length, _ in got)
    # where the end of a text is taken for the first character of one in UTF-16, a run may decide which it is
    if not any(kind > 2 for _, _, kind in every + got):
        assert set(got) <= set(every)
    inside = [
        text
        for text in every
        if any(start <= text[0] and text[0] + text[1] <= end for start, end in runs)
        and not (text[2] > 2 and memory[max(0, text[0] - 2)] in reference.BASE64)
    ]
    assert set(inside) <= set(got)


@pytest.mark.parametrize("start", range(40, 72))
def test_utf16_behind_another_run(start: int) -> None:
    """A run ends within 64 bytes before a text: all of the text is found nevertheless."""
    memory = b"\xf0" * 24 + bytes(start - 24) + wide(secret(44))
    space = loaded(memory)
    space.find_runs()
    assert text_runs(space, pad=0, min_chars=42) == [(start, 88, WIDE_BASE64)]


@pytest.mark.parametrize("room", [2, 3, 5])
def test_more_texts_than_room(room: int) -> None:
    memory = b"\n".join(b"G" + secret(60, k) if k % 3 else H for k in range(40))
    space = loaded(memory)
    space.strict = native([(0, 800), (800, 1600), (1600, space.length)])
    with room_for(space, room, 3):
        assert text_runs(space, pad=16, min_chars=42) == reference.text_runs(padded(memory))


def test_the_workspace_has_room_for_as_many_texts_as_can_be() -> None:
    """One run of base64 that is full of hex digits: all of its texts have to be written at once."""
    memory = (b"0123456789abcdef" * 3)[:42] + b"-"
    memory *= 40_000
    assert len(everywhere(memory)) == 40_000


# ---- decoding ----


def decoded(memory: bytes, texts: list[Text]) -> list[tuple[bytes, int, int]]:
    """What the kernel decodes, after a look at how it is laid out."""
    result = text_decode(loaded(memory), texts)
    end = 0
    for offset, length, _, _ in result.places:
        assert offset % 8 == 0
        assert offset >= end + 16 or offset == end == 0
        assert not any(result.data[end:offset])
        end = offset + length
    assert not any(result.data[end:])
    assert len(result.data) >= end
    return [(bytes(result.data[at : at + n]), index, phase) for at, n, index, phase in result.places]


@pytest.mark.parametrize(
    ("text", "kind", "phases"),
    [
        (b"TWFu", BASE64, [b"Man", b"X[", b"\x16", b""]),
        (b"-_+/", BASE64, [b"\xfb\xff\xbf", b"\xff\xef", b"\xfb", b""]),
        (b"TWE", BASE64, [b"Ma", b"X", b""]),
        (b"TQ", BASE64, [b"M", b""]),
        (b"T", BASE64, [b""]),
        (b"", BASE64, []),
        (b"00ff", HEX, [b"\x00\xff", b"\x0f"]),
        (b"aBCd9", HEX, [b"\xab\xcd", b"\xbc\xd9"]),
        (b"a", HEX, [b""]),
        (b"", HEX, []),
    ],
)
def test_decoded_texts(text: bytes, kind: int, phases: list[bytes]) -> None:
    expected = [(data, 0, phase) for phase, data in enumerate(phases)]
    assert decoded(text, [(0, len(text), kind)]) == expected
    memory = b"?" + wide(text)
    assert decoded(memory, [(1, 2 * len(text), kind + 2)]) == expected
    assert reference.text_decode(memory, [(1, 2 * len(text), kind + 2)]) == expected


@given(
    st.lists(
        st.one_of(
            st.tuples(st.text(string.ascii_letters + string.digits + "+/-_", max_size=90), st.just(BASE64)),
            st.tuples(st.text("0123456789abcdefABCDEF", max_size=90), st.just(HEX)),
        ),
        max_size=6,
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_decoding_any_texts(parts: list[tuple[str, int]], is_wide: bool) -> None:
    memory, texts = b"", []
    for part, kind in parts:
        text = wide(part.encode()) if is_wide else part.encode()
        texts.append((len(memory), len(text), kind + 2 * is_wide))
        memory += text
    assert decoded(memory, texts) == reference.text_decode(memory, texts)


@pytest.mark.parametrize("phase", range(4))
def test_a_number_is_read_at_every_phase(phase: int) -> None:
    """A number that begins anywhere in longer data comes out whole in one of the phases."""
    data, number = random.Random(phase).randbytes(phase + 48), random.Random(9).randbytes(32)
    memory = base64.b64encode(data + number + data)[phase:]
    assert any(number in text for text, _, _ in decoded(memory, [(0, len(memory) - 4, BASE64)]))


@pytest.mark.parametrize("text", [(-1, 8, BASE64), (0, -8, BASE64), (60, 8, HEX), (2**62, 2**62, HEX)])
def test_texts_out_of_range_are_left_out(text: Text) -> None:
    from immure.scanning.kernels._words import ffi, lib

    memory = ffi.from_buffer(bytearray(b"0123456789abcdef" * 4))
    out, places = ffi.new("uint8_t[]", 4096), ffi.new("int64_t[16]")
    assert lib.text_decode(memory, 64, ffi.new("int64_t[]", text), 1, out, 4096, places) == 0


def test_what_has_no_room_is_left_out() -> None:
    from immure.scanning.kernels._words import ffi, lib

    memory = ffi.from_buffer(bytearray(b"0123456789abcdef" * 4))
    for room in range(0, 300, 7):
        out, places = ffi.new("uint8_t[]", b"\xaa" * (room + 64)), ffi.new("int64_t[16]")
        count = lib.text_decode(memory, 64, ffi.new("int64_t[]", (0, 64, BASE64)), 1, out, room, places)
        assert count <= 4
        assert bytes(ffi.buffer(out))[room : room + 64] == b"\xaa" * 64
