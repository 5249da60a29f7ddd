"""The tree and its proofs against the definition in RFC 9162 and against roots that other logs publish."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog.proofs import ConsistencyProof, InclusionProof, prove_consistency, prove_inclusion
from immure.auditlog.tree import EMPTY_ROOT, Peaks, leaf_hash, stored_before, stored_position
from immure.errors import LogError

from .helpers import error_of, naive_consistency, naive_inclusion, naive_root

#: The leaves with which implementations of RFC 6962 are tested, and the roots of their first 0, 1, … 8.
KNOWN_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

LIMIT = 100
LEAVES = [b"leaf %d" % number for number in range(LIMIT)]
ROOTS = [naive_root(LEAVES[:size]) for size in range(LIMIT + 1)]


def grown(leaves: list[bytes]) -> tuple[Peaks, list[bytes]]:
    """A tree, and all hashes in the order in which they came to be."""
    peaks, stored = Peaks(), list[bytes]()
    for leaf in leaves:
        stored += peaks.add(leaf_hash(leaf))
    return peaks, stored


_, STORED = grown(LEAVES)


def node(level: int, index: int) -> bytes:
    return STORED[stored_position(level, index)]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert grown(KNOWN_LEAVES[:size])[0].root().hex() == KNOWN_ROOTS[size]
    assert naive_root(KNOWN_LEAVES[:size]).hex() == KNOWN_ROOTS[size]


def test_roots_of_all_sizes() -> None:
    peaks = Peaks()
    assert peaks.root() == EMPTY_ROOT == ROOTS[0]
    for size, leaf in enumerate(LEAVES, start=1):
        before = peaks.copy()
        peaks.add(leaf_hash(leaf))
        assert (peaks.size, peaks.root()) == (size, ROOTS[size])
        assert (before.size, before.root()) == (size - 1, ROOTS[size - 1])
        assert Peaks.of_size(size, node).root() == ROOTS[size]


def test_where_hashes_are_stored() -> None:
    for level in range(7):
        for index in range(LIMIT >> level):
            start, stop = index << level, (index + 1) << level
            assert node(level, index) == naive_root(LEAVES[start:stop])
    assert [stored_before(size) for size in (0, 1, 2, 3, 4, LIMIT)] == [0, 1, 3, 4, 7, len(STORED)]


def test_a_leaf_costs_one_hash_and_those_that_it_completes() -> None:
    peaks = Peaks()
    sizes = [len(peaks.add(leaf_hash(leaf))) for leaf in LEAVES]
    assert sizes == [after - before for before, after in pairwise(map(stored_before, range(LIMIT + 1)))]
    assert max(sizes) <= 7


def test_every_inclusion_proof() -> None:
    for size in range(1, LIMIT + 1):
        for index in range(size):
            proof = prove_inclusion(index, size, node)
            proof.verify(leaf_hash(LEAVES[index]), ROOTS[size])
            if size in (1, 2, 7, 8, 9, 64, 99):
                assert list(proof.hashes) == naive_inclusion(index, LEAVES[:size])


def test_every_consistency_proof() -> None:
    for size in range(LIMIT + 1):
        for old_size in range(size + 1):
            proof = prove_consistency(old_size, size, node)
            proof.verify(ROOTS[old_size], ROOTS[size])
            if old_size and size in (1, 2, 7, 8, 9, 64, 99):
                assert list(proof.hashes) == naive_consistency(old_size, LEAVES[:size])


def refused(proof: InclusionProof | ConsistencyProof, first: bytes, root: bytes) -> bool:
    return error_of(lambda: proof.verify(first, root)) is not None


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8 % len(value)] ^= 1 << bit % 8
    return bytes(changed)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), size=st.integers(1, LIMIT), bit=st.integers(0, 255))
def test_an_inclusion_proof_of_anything_else_is_refused(data: st.DataObject, size: int, bit: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, leaf, root = prove_inclusion(index, size, node), leaf_hash(LEAVES[index]), ROOTS[size]
    hashes = proof.hashes
    for other in {data.draw(st.integers(-1, size + 1)), index ^ 1, index + 1} - {index}:
        assert refused(InclusionProof(other, size, hashes), leaf, root)
    assert refused(proof, flipped(leaf, bit), root)
    assert refused(proof, leaf, flipped(root, bit))
    assert refused(proof, leaf, ROOTS[size - 1])
    for number in range(len(hashes)):
        altered = (*hashes[:number], flipped(hashes[number], bit), *hashes[number + 1 :])
        assert refused(InclusionProof(index, size, altered), leaf, root)
        shorter = hashes[:number] + hashes[number + 1 :]
        assert refused(InclusionProof(index, size, shorter), leaf, root)
        assert refused(InclusionProof(index, size, (*hashes[:number], root, *hashes[number:])), leaf, root)
    assert refused(InclusionProof(index, size, (*hashes, root)), leaf, root)
    assert refused(InclusionProof(index, size, (*hashes, b"short")), leaf, root)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), size=st.integers(1, LIMIT), bit=st.integers(0, 255))
def test_a_consistency_proof_of_anything_else_is_refused(data: st.DataObject, size: int, bit: int) -> None:
    old_size = data.draw(st.integers(1, size))
    proof, old_root, root = prove_consistency(old_size, size, node), ROOTS[old_size], ROOTS[size]
    hashes = proof.hashes
    assert refused(proof, flipped(old_root, bit), root)
    assert refused(proof, old_root, flipped(root, bit))
    for other in {data.draw(st.integers(-1, size + 1)), old_size - 1, old_size + 1} - {old_size}:
        assert refused(ConsistencyProof(other, size, hashes), old_root, root)
    for number in range(len(hashes)):
        altered = (*hashes[:number], flipped(hashes[number], bit), *hashes[number + 1 :])
        assert refused(ConsistencyProof(old_size, size, altered), old_root, root)
        shorter = hashes[:number] + hashes[number + 1 :]
        assert refused(ConsistencyProof(old_size, size, shorter), old_root, root)
    assert refused(ConsistencyProof(old_size, size, (*hashes, root)), old_root, root)
    assert refused(ConsistencyProof(old_size, size, (*hashes, b"")), old_root, root)


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (InclusionProof(0, 0, ()), "index 0 in a tree of 0"),
        (InclusionProof(1, 1, ()), "index 1 in a tree of 1"),
        (InclusionProof(0, 1 << 70, ()), "in a tree of"),
        (InclusionProof(0, 1 << 62, (EMPTY_ROOT,) * 62), "does not lead from entry 0"),
        (InclusionProof(0, 4, (EMPTY_ROOT,) * 70), "no proof"),
        (ConsistencyProof(2, 1, ()), "from a tree of 2 to one of 1"),
        (ConsistencyProof(1, 4, ()), "does not continue"),
        (ConsistencyProof(3, 4, ()), "is empty"),
        (ConsistencyProof(3, 3, ()), "not consistent"),
        (ConsistencyProof(0, 3, (EMPTY_ROOT,)), "not consistent"),
    ],
)
def test_words_of_refusal(proof: InclusionProof | ConsistencyProof, words: str) -> None:
    with pytest.raises(LogError, match=words):
        proof.verify(leaf_hash(b"x"), leaf_hash(b"y"))


def test_what_cannot_be_proved() -> None:
    for index in (-1, 5):
        with pytest.raises(LogError, match=f"no entry {index}: the log has 5"):
            prove_inclusion(index, 5, node)
    for old_size in (-1, 6):
        with pytest.raises(LogError, match=f"no older state of {old_size} entries"):
            prove_consistency(old_size, 5, node)
