"""What is left in single words, and whether it would be enough."""

from __future__ import annotations

import random

import pytest

from immure.keymaterial.private import RsaPrivate
from immure.redact.prove import KeyResidue, ProveOptions, ResidueLimits, ResiduePart, scan
from immure.redact.prove.options import EXPONENT_SHARE, PRIME_SHARE, REBUILD_SHARE

from .material import NO_DEBUGGER, image, key, lonely, noise, planted, string


def left(
    parts: list[tuple[str, int, int]], kind: str = "RSA-2048", limits: ResidueLimits | None = None
) -> tuple[ResiduePart, KeyResidue]:
    """What is left if these words (number, first word, words) of the little-endian form stand in noise."""
    memory, at = noise(1 << 14), 61
    for name, word, count in parts:
        data = string(kind, name, "le").data
        for index in range(word, word + count):
            memory[at : at + 10] = lonely(data, 8 * index, 8)
            at += 18
    options = ProveOptions(debugger=False, limits=limits or ResidueLimits())
    scanned, residue = scan(image(bytes(memory)), [key(kind)], options=options)
    assert scanned.status == "ok"
    return residue, residue.keys[0]


def test_one_word_shows() -> None:
    residue, found = left([("p", 3, 1)])
    assert (residue.status, found.bits_left, found.bits["p"]) == ("ok", {"p": 64}, 1024)
    assert [(piece.number, piece.length, piece.at) for piece in residue.pieces] == [("p", 8, 24)]


@pytest.mark.parametrize("shift", range(8))
def test_a_word_at_every_alignment(shift: int) -> None:
    data = lonely(string("RSA-1024", "q", "be").data, 16, 8)
    _, residue = scan(image(bytes(planted([(400 + shift, data)]))), [key("RSA-1024")], options=NO_DEBUGGER)
    assert residue.keys[0].bits_left == {"q": 64}


def test_fourteen_bytes_show_with_all_their_bits() -> None:
    data = lonely(string("RSA-1024", "q", "le").data, 16, 14)
    scanned, residue = scan(image(bytes(planted([(401, data)]))), [key("RSA-1024")], options=NO_DEBUGGER)
    assert (scanned.status, residue.keys[0].bits_left) == ("ok", {"q": 112})


def test_two_copies_of_a_word_are_one() -> None:
    assert left([("p", 3, 1), ("p", 3, 1)])[1].bits_left == {"p": 64}


def test_a_prime_less_one_tells_the_prime() -> None:
    low = lonely(string("RSA-2048", "p_less_1", "le").data, 0, 8)
    _, residue = scan(image(bytes(planted([(401, low)]))), [key("RSA-2048")], options=NO_DEBUGGER)
    assert residue.keys[0].bits_left == {"p": 63}


@pytest.mark.parametrize("name", ["n0_p", "n0_minus_p"])
def test_an_inverse_modulo_a_word_tells_the_lowest_word(name: str) -> None:
    data = lonely(string("RSA-2048", name, "le").data, 0, 8)
    scanned, residue = scan(image(bytes(planted([(401, data)]))), [key("RSA-2048")], options=NO_DEBUGGER)
    assert (scanned.status, residue.keys[0].bits_left) == ("ok", {"p": 64})


@pytest.mark.parametrize(
    ("parts", "failing"),
    [
        ([("p", 0, 6)], []),  # 384 of 1,024 bits
        ([("p", 0, 7)], ["Coppersmith: p"]),  # 448: more than 0.40
        ([("dq", 9, 7)], ["Coppersmith: dq"]),
        ([("rr_p", 4, 7)], ["Coppersmith: rr_p"]),
        ([("d", 0, 6)], []),
        ([("d", 20, 7)], ["Coppersmith: d"]),  # 448 of 2,048: more than 0.20
        ([("p", 0, 5), ("q", 3, 5), ("dp", 0, 3), ("dq", 2, 3)], []),  # 1,024 of 6,144
        (
            [("p", 0, 5), ("q", 3, 5), ("dp", 0, 4), ("dq", 2, 4), ("d", 9, 3)],  # 1,344: more than 0.20
            ["Heninger–Shacham: p, q, d, dp, dq"],
        ),
        ([("qinv", 0, 6), ("r_q", 0, 6)], []),  # not among the five
    ],
)
def test_bounds_of_rsa(parts: list[tuple[str, int, int]], failing: list[str]) -> None:
    residue, found = left(parts)
    assert [bound.name for bound in found.bounds if not bound.ok] == failing
    assert (residue.status, found.ok) == (("failed", False) if failing else ("ok", True))
    assert all(bound.limit < bound.enough for bound in found.bounds)


def test_limits_stay_below_the_bounds() -> None:
    limits = ResidueLimits()
    assert limits.rsa_share < REBUILD_SHARE
    assert limits.number_share < PRIME_SHARE
    assert limits.number_share / 2 < EXPONENT_SHARE


@pytest.mark.parametrize(
    ("kind", "name"), [("P-256", "d"), ("P-384", "d_mont"), ("Ed25519", "seed"), ("X25519", "seed")]
)
def test_one_word_of_a_scalar_is_too_much(kind: str, name: str) -> None:
    residue, found = left([(name, 1, 1)], kind)
    assert (residue.status, sum(found.bits_left.values())) == ("failed", 64)
    assert residue.reason == f"too much is left of 1 of 1 keys, the first {found.key}"
    residue, _ = left([(name, 1, 1)], kind, ResidueLimits(scalar_bits=64))
    assert residue.status == "ok"


def test_numbers_that_repeat_others_are_not_counted_twice() -> None:
    data = lonely(string("Ed25519", "expanded", "le").data, 40, 8)
    _, residue = scan(image(bytes(planted([(400, data)]))), [key("Ed25519")], options=NO_DEBUGGER)
    assert residue.keys[0].bits_left == {"prefix": 64}


def test_what_only_a_repeating_number_has_is_counted() -> None:
    data = lonely(string("P-256", "d_plus_n", "le").data, 8, 8)
    _, residue = scan(image(bytes(planted([(400, data)]))), [key("P-256")], options=NO_DEBUGGER)
    assert residue.keys[0].bits_left == {"d_plus_n": 64}


@pytest.mark.parametrize(
    ("first", "count", "recovered"),
    [(0, 11, True), (5, 11, True), (0, 7, None)],  # of 16 words
)
def test_an_attempt_on_the_prime(first: int, count: int, recovered: bool | None) -> None:
    """With 704 of 1,024 bits known in one or two stretches, a lattice of dimension 3 computes the rest."""
    residue, found = left([("q", first, count)])
    attempts = {attempt.number: attempt for attempt in found.attempts}
    assert residue.status == "failed"
    if recovered is None:
        assert attempts == {}
    else:
        assert attempts["q"].recovered is recovered
        assert attempts["q"].unknown_bits == 1024 - 64 * count


def test_what_is_left_of_a_whole_key() -> None:
    known = key("RSA-1024")
    assert isinstance(known, RsaPrivate)
    memory = bytes(planted([(33, string("RSA-1024", "p", "le").data)]))
    scanned, residue = scan(image(memory), [known], options=NO_DEBUGGER)
    assert (scanned.status, residue.status) == ("failed", "failed")
    assert residue.keys[0].bits_left == {"p": 512}
    assert residue.keys[0].attempts[0].recovered


def test_each_key_has_its_own_account() -> None:
    words = [
        lonely(string(kind, name, "le").data, 0, 8) for kind, name in (("RSA-1024", "p"), ("P-256", "d"))
    ]
    memory = bytes(planted([(33, words[0]), (99, words[1])]))
    keys = [key("P-256"), key("RSA-1024"), key("Ed25519")]
    _, residue = scan(image(memory), keys, options=NO_DEBUGGER)
    assert [(one.kind, one.ok, sum(one.bits_left.values())) for one in residue.keys] == [
        ("P-256", False, 64),
        ("RSA-1024", True, 64),
        ("Ed25519", True, 0),
    ]


def test_it_finds_words_among_ordinary_data_and_nothing_else() -> None:
    """In a megabyte of all sorts of bytes there are no words by chance."""
    chance = random.Random(3)
    memory = bytearray(chance.randbytes(1 << 20))
    _, residue = scan(image(bytes(memory)), [key("RSA-2048")], options=NO_DEBUGGER)
    assert residue.pieces == ()
