"""Signatures that do not hold, or are written otherwise (RFC 7515, section 5.2; RFC 7518, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import utils

from immure.keymaterial.key import b64url
from immure.probe.case import Case, Expected, Severity
from immure.probe.kit import ProbeKey
from immure.probe.mint import Mint, to_json, unsigned
from immure.probe.sign import pair, sign, sign_numbers

_HOLDS: Final = "RFC 7515, section 5.2"
_ECDSA: Final = "RFC 7518, section 3.4"
_PSYCHIC: Final = "RFC 7518, section 3.4; FIPS 186-5, section 6.4.2"
_EDDSA: Final = "RFC 8032, section 5.1.7"
#: Order of Ed25519's base point.
_L: Final = 2**252 + 27742317777372353535851937790883648493
#: Order of P-256.
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _other(m: Mint, change: Callable[[bytes], bytes]) -> str:
    """A good token whose signature is changed."""
    key = m.home()
    signed = unsigned(to_json(m.header(key)), to_json(m.claims()))
    return f"{signed}.{b64url(change(sign(key.private, key.alg, signed.encode())))}"


def _case(name: str, title: str, change: Callable[[bytes], bytes], severity: Severity = "critical") -> Case:
    return Case(f"signature.{name}", title, _HOLDS, severity, lambda m: _other(m, change))


def _ecdsa(
    name: str,
    title: str,
    make: Callable[[ProbeKey, int, int], bytes],
    severity: Severity = "critical",
    reference: str = _ECDSA,
    expected: Expected = "refuse",
) -> Case:
    """``make`` writes the two numbers of a good signature by a key on P-256 otherwise."""

    def build(m: Mint) -> str:
        key = m.home("ES256")
        signed = unsigned(to_json(m.header(key)), to_json(m.claims()))
        return f"{signed}.{b64url(make(key, *sign_numbers(key.private, hashes.SHA256(), signed.encode())))}"

    return Case(f"signature.{name}", title, reference, severity, build, expected)


def _numbers(r: int, s: int) -> Callable[[ProbeKey, int, int], bytes]:
    return lambda key, _r, _s: pair(key.private, r, s)


def _eddsa(m: Mint, change: Callable[[bytes, int], bytes]) -> str:
    """``change`` writes R and S of a good signature by Ed25519 otherwise."""
    key = m.home("EdDSA")
    signed = unsigned(to_json(m.header(key)), to_json(m.claims()))
    raw = sign(key.private, key.alg, signed.encode())
    return f"{signed}.{b64url(change(raw[:32], int.from_bytes(raw[32:], 'little')))}"


def _moved(m: Mint, part: int, **claims: Any) -> str:
    """One good token with a part of another."""
    parts, others = m.good().split("."), m.token(**claims).split(".")
    parts[part] = others[part]
    return ".".join(parts)


def _other_key(m: Mint) -> str:
    """A good token of the target's, with the signature that another scope's key makes of the same bytes."""
    other = m.key_of(m.kit.other_scope(same_class=False))
    signed = m.good().rpartition(".")[0]
    return f"{signed}.{b64url(sign(other.private, other.alg, signed.encode()))}"


CASES: Final = (
    _case("empty", "No signature behind the last point", lambda raw: b""),
    _case("first-byte", "A bit of its first byte changed", lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
    _case("last-byte", "A bit of its last byte changed", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])),
    _case("cut", "Its last byte cut off", lambda raw: raw[:-1]),
    _case("half", "Its second half cut off", lambda raw: raw[: len(raw) // 2]),
    _case("longer", "A zero byte behind it", lambda raw: raw + b"\0", "medium"),
    _case("zero-before", "A zero byte before it", lambda raw: b"\0" + raw, "medium"),
    _case("twice", "Twice", lambda raw: raw + raw, "medium"),
    _case("zeros", "Zeros", lambda raw: bytes(len(raw))),
    _case("ones", "Ones", lambda raw: b"\xff" * len(raw)),
    _case("one-byte", "A single byte", lambda raw: b"\1"),
    _case("reversed", "Written backwards", lambda raw: raw[::-1]),
    _case("huge", "8,000 bytes", lambda raw: raw + bytes(8000 - len(raw)), "low"),
    Case("signature.other-claims", "The claims of another token", _HOLDS, "critical",
         lambda m: _moved(m, 1, sub="administrator")),
    Case("signature.other-signature", "The signature of another token", _HOLDS, "critical",
         lambda m: _moved(m, 2, sub="administrator")),
    Case("signature.other-key", "The signature of another scope's key", _HOLDS, "critical", _other_key),
    _ecdsa("zero-zero", "ES256: both numbers are 0", _numbers(0, 0), reference=_PSYCHIC),
    _ecdsa("zero-one", "ES256: 0 and 1", _numbers(0, 1), reference=_PSYCHIC),
    _ecdsa("one-zero", "ES256: 1 and 0", _numbers(1, 0), reference=_PSYCHIC),
    _ecdsa("one-one", "ES256: 1 and 1", _numbers(1, 1), reference=_PSYCHIC),
    _ecdsa("order", "ES256: both numbers are the order of the curve", _numbers(_N, _N), reference=_PSYCHIC),
    _ecdsa("order-zero", "ES256: the order and 0", _numbers(_N, 0), reference=_PSYCHIC),
    _ecdsa("swapped", "ES256: the two numbers swapped", lambda key, r, s: pair(key.private, s, r)),
    _ecdsa("der", "ES256: written as DER", lambda key, r, s: utils.encode_dss_signature(r, s), "medium"),
    _ecdsa("wide", "ES256: each number in 33 bytes",
           lambda key, r, s: r.to_bytes(33, "big") + s.to_bytes(33, "big"), "medium"),
    _ecdsa("negated", "ES256: the other signature that everybody can make of one (n − s)",
           lambda key, r, s: pair(key.private, r, _N - s), "low", expected="may"),
    Case("signature.eddsa-order", "EdDSA: S and the order of the base point", _EDDSA, "medium",
         lambda m: _eddsa(m, lambda r, s: r + (s + _L).to_bytes(32, "little"))),
    Case("signature.eddsa-identity", "EdDSA: the identity and 0", _EDDSA, "critical",
         lambda m: _eddsa(m, lambda r, s: b"\1" + bytes(63))),
    Case("signature.eddsa-zero", "EdDSA: R as it was, and 0", _EDDSA, "critical",
         lambda m: _eddsa(m, lambda r, s: r + bytes(32))),
)  # fmt: skip
