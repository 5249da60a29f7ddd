"""Windows whose digests are in a sketch, against hashlib at every place."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.sketch import salted_block
from immure.scanning.kernels import reference_sketch as reference
from immure.scanning.kernels.sketch import DigestTable, noise_of, use_hash

from .memory import MEMORIES, SEEDS, loaded, stretch

SALT = bytes(range(100, 132))
BLOCK = salted_block(SALT)
HASHES = [kind for kind in range(5) if use_hash(kind)]
use_hash(0)
KEY = stretch("random", 64, 5)


@pytest.fixture(params=HASHES, ids=lambda kind: ["best", "portable", "avx2", "avx512", "sha"][kind])
def each_hash(request: pytest.FixtureRequest) -> Iterator[None]:
    use_hash(request.param)
    yield
    use_hash(0)


def found(memory: bytes, digests: list[int], looks: list[str]) -> tuple[list[tuple[int, int, int]], int]:
    space = loaded(memory)
    hits, tried = DigestTable(SALT, digests, looks).find(space)
    return sorted((hit.at, hit.kind, hit.digest) for hit in hits), tried


@pytest.mark.usefixtures("each_hash")
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 200, 1000])
@pytest.mark.parametrize("step", [1, 3, 8])
def test_digests_are_those_of_hashlib(length: int, step: int) -> None:
    data = stretch("random", length, length)
    expected = [reference.digest(BLOCK, data[at : at + 16]) for at in range(0, length - 15, step)]
    assert DigestTable(SALT, []).digests(data, step) == expected


def test_a_digest_is_sha256_of_block_and_window() -> None:
    expected = hashlib.sha256(BLOCK + KEY[:16]).digest()[:8]
    assert DigestTable(SALT, []).digests(KEY[:16]) == [int.from_bytes(expected, "big")]


def test_there_is_always_a_hash() -> None:
    assert use_hash(1)
    assert not use_hash(99)
    assert use_hash(0)


@pytest.mark.usefixtures("each_hash")
@given(MEMORIES, SEEDS, st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_all_windows_that_are_promised_are_tried(
    memory: bytes, seed: int, text: bool, one_case: bool
) -> None:
    looks = ["text"] * text + ["one-case"] * one_case
    windows = list(reference.windows(memory, text=text, one_case=one_case))
    chance = random.Random(seed)
    wanted = [window for _, _, window in windows if chance.random() < 0.5]
    digests = [reference.digest(BLOCK, window) for window in wanted]
    hits, tried = found(memory, digests, looks)
    assert hits == sorted(reference.find(memory, BLOCK, digests, text=text, one_case=one_case))
    assert tried == len(windows)


WRITTEN = [
    ("raw", lambda key: key),
    ("hex", lambda key: key.hex().encode()),
    ("HEX", lambda key: key.hex().upper().encode()),
    ("base64", base64.b64encode),
    ("base64url", base64.urlsafe_b64encode),
    ("hex16", lambda key: key.hex().encode("utf-16-le")),
    ("base64-16", lambda key: base64.b64encode(key).decode().encode("utf-16-le")),
]


@pytest.mark.parametrize(("name", "write"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_a_fragment_is_seen_at_every_place(name: str, write: object) -> None:
    """24 bytes of a secret, and a character for what of base64 depends on its neighbours."""
    assert callable(write)
    table = [reference.digest(BLOCK, KEY[at : at + 16]) for at in range(len(KEY) - 15)]
    whole = write(KEY)
    width = {"raw": 24, "hex": 48, "HEX": 48, "base64": 33, "base64url": 33, "hex16": 96, "base64-16": 66}[
        name
    ]
    for shift in range(17):
        start = shift * (2 if name.endswith("16") else 1)
        piece = whole[start : start + width]
        memory = bytes(8 + shift) + piece + bytes(40)
        hits, _ = found(memory, table, [])
        assert hits, (name, shift)


@given(st.binary(max_size=600), st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_random_digests_are_not_found(memory: bytes, digests: list[int]) -> None:
    hits, _ = found(memory, digests, ["text", "one-case"])
    assert hits == []


@pytest.mark.parametrize("count", [0, 1, 1000, 70_000])
def test_tables_of_every_size_find_what_is_in_them(count: int) -> None:
    chance = random.Random(count)
    digests = [chance.getrandbits(64) for _ in range(count)] + [0, 2**64 - 1]
    mine = [reference.digest(BLOCK, KEY[at : at + 16]) for at in range(0, 49, 8)]
    hits, _ = found(KEY, digests + mine, [])
    assert [at for at, _, _ in hits] == list(range(0, 49, 8))


@pytest.mark.parametrize("room", [3 * 704, 3 * 710, 3 * 1500])
def test_results_do_not_depend_on_the_room_for_them(room: int) -> None:
    memory = KEY * 200
    table = DigestTable(SALT, [reference.digest(BLOCK, (KEY * 2)[at : at + 16]) for at in range(64)])
    space = loaded(memory)
    every, tried = table.find(space)
    assert len(every) == len(memory) // 8 - 1
    space._out_entries = room
    again, more = table.find(space)
    assert again == every
    assert more >= tried


@given(MEMORIES, st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=40, deadline=None)
def test_ranges_that_are_left_out(memory: bytes, cuts: list[int]) -> None:
    space = loaded(memory)
    edges = sorted({8 * cut for cut in cuts if 8 * cut <= space.length})
    without = list(zip(edges[::2], edges[1::2], strict=False))
    windows = list(reference.windows(memory, text=True, one_case=True))
    table = DigestTable(
        SALT, [reference.digest(BLOCK, window) for _, _, window in windows], ["text", "one-case"]
    )
    hits, _ = table.find(space, without)
    kept = [at for at, _, _ in windows if not any(first <= at < last for first, last in without)]
    assert sorted(hit.at for hit in hits) == sorted(kept)


def test_noise_is_what_the_quiet_runs_leave_out() -> None:
    noise = stretch("random", 5 * 65536, 3)
    memory = (
        stretch("prose", 8192, 1) + noise + bytes(4096) + stretch("random", 40_000, 2) + noise[: 3 * 65536]
    )
    space = loaded(memory)
    space.find_runs(strict=False)
    space.find_quiet_runs(0)
    assert noise_of(space) == [
        (8192 + 2048, 8192 + 5 * 65536 - 2048),
        (noise_start(8192 + 5 * 65536 + 4096) + 2048, len(memory) // 4096 * 4096 - 2048),
    ]
    quiet = loaded(stretch("prose", 100_000, 1))
    quiet.find_runs()
    quiet.find_quiet_runs(0)
    assert noise_of(quiet) == []


def noise_start(at: int) -> int:
    return -(-at // 4096) * 4096
