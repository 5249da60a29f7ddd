"""Which number, in which encoding, gives a key away as the only copy; and that all others are listed."""

from __future__ import annotations

import base64
from functools import cache

import pytest

from immure.scanning.finding import Finding, ImageReport, Occurrence
from immure.synth import plant

from .material import EC, KINDS, OKP, PAGE, forms, planted, private, scan

TEXTS = frozenset(
    name + tail
    for name in ("base64", "base64url", "hex", "hex-upper")
    for tail in ("", "-utf16le")
)  # fmt: skip
#: Encodings that are found as the only copy, and the multiple of bytes at which (1: anywhere).
RSA_PRIMES = {"le64": 1, "be": 1, "be32w": 4, "py30": 4, "be64w": 8, "smi28": 8} | dict.fromkeys(TEXTS, 1)
RSA_EXPONENTS = {"be": 1, "le64": 8} | dict.fromkeys(TEXTS, 1)
EC_SCALARS = {"le64": 1, "be": 1, "be32w": 1, "py30": 8} | dict.fromkeys(TEXTS, 1)
BYTES = {"raw": 1} | dict.fromkeys(TEXTS, 1)
DER = {"pkcs1-der": 1, "sec1-der": 1, "pkcs8-der": 1}
ALONE: dict[str, dict[str, dict[str, int]]] = {
    "RSA": {
        "p": RSA_PRIMES, "q": RSA_PRIMES, "d": RSA_EXPONENTS, "d_lambda": RSA_EXPONENTS,
        "r_p": {"le64": 8}, "r_q": {"le64": 8}, "rr_p": {"le64": 8}, "rr_q": {"le64": 8},
        "key": DER,
    },
    "EC": {"d": EC_SCALARS, "d_mont": {"le64": 1, "be": 1}, "key": DER},
    "OKP": {
        "seed": BYTES, "scalar": BYTES, "scalar_raw": BYTES, "expanded": BYTES, "expanded_clamped": BYTES,
        "key": DER,
    },
}  # fmt: skip
#: Numbers that cannot give the key away alone at a bearable price, and why.
NEVER_ALONE = {
    "dp": "2^(e·dp) − 2 shares p with n, but that costs an exponentiation for every window of the image",
    "dq": "as dp",
    "qinv": "q⁻¹ mod p satisfies a quadratic equation modulo n: nothing short of lattices solves it",
    "pinv": "as qinv",
    "qinv_mont": "as qinv",
    "pinv_mont": "as qinv",
    "d_mont_p": "d·R modulo the prime of the field, not the order of the group: no multiple of d any more",
    "prefix": "the half of the hash that is no scalar: nothing public depends on it but signatures",
    "scalar_mod": "of Ed25519 and Ed448: the search reads windows as seeds and as scalars to be clamped",
}
#: Encodings that the search does not read, but the sweep lists. Pieces of base64 lack bits of the number.
#: The minimal forms of P-521 are read only where zeros stand beside them, as in the full ones.
ONLY_SWEPT = ("limb52", "decimal", "base64-", "base64url-", "-minimal")
#: RSA-1040: primes whose size is no multiple of 64 bits, and a modulus whose size is none of 128.
ODD_SIZES = ("RSA-1040",)
SMALL = ("RSA-1024", "RSA-2048", *EC, *OKP)
FILLERS = ("zeros", "ordinary", "text", "random")


def family(kind: str) -> str:
    return "RSA" if kind.startswith("RSA") else "EC" if kind in EC else "OKP"


@cache
def alone(kind: str) -> list[tuple[str, str, int]]:
    """(secret, encoding, multiple) of everything that must be found as the only copy."""
    table = ALONE[family(kind)]
    return [
        (secret, encoding, table[secret][encoding])
        for secret, encoding in forms(kind)
        if encoding in table.get(secret, {})
    ]


def of_key(report: ImageReport, kind: str) -> Finding | None:
    return next((found for found in report.findings if found.key.numbers == private(kind).public), None)


def covers(one: Occurrence, offset: int, length: int) -> bool:
    """Whether the occurrence is whole, and is these bytes or holds them; digits may have zeros in front."""
    return one.whole and one.offset <= offset and offset + length <= one.offset + one.length + 1


CASES = [
    pytest.param(kind, secret, id=f"{kind}-{secret}")
    for kind in KINDS
    if kind not in ODD_SIZES
    for secret in dict.fromkeys(secret for secret, _, _ in alone(kind))
    if kind in SMALL or secret in ("p", "d_lambda", "rr_q", "key")
]


@pytest.mark.parametrize(("kind", "secret"), CASES)
def test_one_copy_is_enough(kind: str, secret: str) -> None:
    """Each encoding in an image of its own, at the worst alignment that is promised; fillers take turns."""
    for turn, (name, encoding, multiple) in enumerate(alone(kind)):
        if name != secret or (kind not in SMALL and encoding.endswith("-utf16le")):
            continue
        data = forms(kind)[name, encoding]
        offset = PAGE + (3 * multiple if multiple < 8 else 8 * (turn % 4))
        filling = FILLERS[turn % len(FILLERS)] if kind in SMALL else "zeros"
        memory = planted(data, offset, name=filling, size=3 * PAGE, seed=turn)
        if encoding in TEXTS:  # what stands beside it must not be text, or the phase is another
            plant(memory, offset - 2, b"\0\0")
            plant(memory, offset + len(data), b"\0\0")
        finding = of_key(scan(memory, kind, chunk_bytes=1 << 16), kind)
        assert finding is not None, (encoding, filling, offset)
        # of an expanded key the scalar is found, and from that the other half does not follow
        length = 3 if secret.startswith(("expanded", "scalar")) else len(data) - 3
        assert any(covers(one, offset + 1, length) for one in finding.occurrences), (encoding, offset)


@pytest.mark.parametrize("kind", [*SMALL, "RSA-1536", "RSA-3072"])
def test_what_gives_nothing_away_alone_is_no_finding(kind: str) -> None:
    """All of it at once: nothing is found by it, and nothing else is taken for it."""
    memory = bytearray()
    for (secret, encoding), data in forms(kind).items():
        is_only_swept = any(word in encoding for word in ONLY_SWEPT) and encoding not in TEXTS
        if secret in NEVER_ALONE or (
            is_only_swept and secret not in ("expanded", "expanded_clamped", "d", "d_mont")
        ):
            memory += bytes(-len(memory) % 8 + 64) + data
    assert len(memory) > 1000
    assert scan(memory + bytes(PAGE), kind, chunk_bytes=1 << 20).findings == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_copy_of_a_known_key_is_listed(kind: str) -> None:
    """All numbers in all encodings side by side, at all alignments; but not ``smi28``, half of it is zeros:
    at half of the alignments all of its words are dull."""
    memory, places = bytearray(), []
    for turn, ((secret, encoding), data) in enumerate(forms(kind).items()):
        memory += bytes(40 + turn % 8)
        memory += bytes(-len(memory) % 8 if encoding == "smi28" else 0)
        places.append((secret, encoding, len(memory), len(data)))
        memory += data
    finding = of_key(scan(memory + bytes(64), kind, chunk_bytes=1 << 16), kind)
    assert finding is not None
    found = [one for one in finding.occurrences if one.whole]
    assert len(found) >= len(places) * 0.9
    assert [
        place for place in places if not any(covers(one, place[2] + 1, place[3] - 3) for one in found)
    ] == []


BIG_ENDIAN = [("RSA-1024", "p"), ("RSA-1024", "d"), ("P-256", "d"), ("P-521", "d")]
BIG_ENDIAN += [("Ed25519", "seed"), ("Ed448", "seed"), ("X448", "seed")]


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize(("kind", "secret"), BIG_ENDIAN)
def test_numbers_inside_base64_at_every_phase(kind: str, secret: str, before: int) -> None:
    """Found by nothing but this text, in which other bytes come first and last."""
    data = forms(kind)[secret, "raw" if kind in OKP else "be"]
    text = base64.b64encode(b"\x91" * before + data + b"\x37" * 2)
    finding = of_key(scan(planted(text, 3 * PAGE + 5), kind, chunk_bytes=1 << 16), kind)
    assert finding is not None
    assert {(one.secret, one.whole) for one in finding.occurrences} == {(secret, True)}
    assert finding.proof.endswith("(written as text)")


def test_a_text_that_the_sweep_does_not_know_is_an_occurrence() -> None:
    upper, lower = forms("RSA-1024")["p", "hex-upper"], forms("RSA-1024")["p", "hex"]
    mixed = b"".join(bytes([(upper if i % 3 else lower)[i]]) for i in range(len(upper)))
    finding = of_key(scan(planted(mixed, 3 * PAGE), "RSA-1024"), "RSA-1024")
    assert finding is not None
    [one] = finding.occurrences
    assert (one.offset, one.length, one.secret, one.encoding, one.whole) == (3 * PAGE, 128, "p", "hex", True)


def test_scalars_without_a_seed_have_occurrences_in_every_encoding() -> None:
    """From a scalar no seed follows, but other writings of the scalar do."""
    memory = planted(forms("Ed25519")["scalar", "raw"], 3 * PAGE)
    wanted = {("scalar", name) for name in ("raw", "be", "py30", "hex", "base64")}
    for turn, (secret, encoding) in enumerate(sorted(wanted - {("scalar", "raw")})):
        plant(memory, (4 + turn) * PAGE, forms("Ed25519")[secret, encoding])
    finding = of_key(scan(memory, "Ed25519"), "Ed25519")
    assert finding is not None
    assert {(one.secret, one.encoding) for one in finding.occurrences} >= wanted
