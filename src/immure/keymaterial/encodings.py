"""The catalog: every secret number of a key, and every way in which a number is written.

>>> from immure.keymaterial.private import ec_from_scalar
>>> key = ec_from_scalar("P-256", 2**255 + 12345)
>>> sorted(secret_numbers(key))
['d', 'd_mont', 'd_mont_p']
>>> [name for name, _ in encodings("d", 2**255 + 12345, key)][:4]
['le64', 'be', 'be32w', 'be64w']

The catalog feeds a search for exact byte strings, so it is made once per proved key, and equal byte
strings are named once. Byte strings below :data:`SHORTEST` bytes prove nothing and are left out.
Everything here is secret.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import lcm

from immure.keymaterial import bignum
from immure.keymaterial.curves import CURVES, EDWARDS_ORDERS
from immure.keymaterial.key import EC_BYTES, OKP_BYTES, OkpCurve
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, RsaPrivate
from immure.keymaterial.serialize import to_pkcs1, to_pkcs8, to_sec1
from immure.secret import Secret

#: Bytes of the shortest encoding that is yielded.
SHORTEST = 16

SecretNumber = int | bytes


def secret_numbers(private: PrivateKey) -> dict[str, SecretNumber]:
    """Every number from which the key can be computed, by name: an int, or bytes where their order is fixed.

    RSA: ``p q dp dq qinv``, ``pinv`` (p⁻¹ mod q, for stacks that keep the primes the other way round),
    ``d`` (mod φ), ``d_lambda`` (mod λ), ``d_given`` (as found, if it is neither), ``r_p r_q rr_p rr_q``
    (R and R² modulo the primes, R = 2^64L for primes of L limbs), ``qinv_mont pinv_mont`` (times R).
    EC: ``d``, ``d_mont`` (d·R modulo the group order), ``d_mont_p`` (d·R modulo the field prime).
    OKP: ``seed``, ``scalar`` (clamped; RFC 8032, section 5.1.5, RFC 7748, section 5); of Ed25519 and Ed448
    also ``scalar_raw`` (before clamping), ``scalar_mod`` (clamped, then modulo the group order),
    ``prefix``, ``expanded`` (the whole hash of the seed), ``expanded_clamped``.
    """
    if isinstance(private, RsaPrivate):
        return _rsa_numbers(private)
    if isinstance(private, EcPrivate):
        return _ec_numbers(private)
    return _okp_numbers(private)


def encodings(name: str, value: SecretNumber, private: PrivateKey | None) -> Iterator[tuple[str, bytes]]:
    """Every way of writing the number ``name``, as (name of the encoding, bytes); no byte string twice.

    ``le64 le-minimal be be-minimal be32w be64w py30 smi28 limb52``: see :mod:`~immure.keymaterial.bignum`;
    ``raw``: bytes as they are; ``base64 base64url``: of the big-endian or raw bytes, without padding;
    ``base64-1`` to ``-3``: the characters that do not depend on what stands around, when the number begins
    at byte 0, 1, 2 of a group of three; ``hex hex-upper decimal``; ``-utf16le`` after a name: as UTF-16,
    ``-minimal``: of the number without zeros in front, if that differs.
    """
    seen: set[bytes] = set()
    for encoding, data in _all_encodings(name, value, private):
        if len(data) >= SHORTEST and data not in seen:
            seen.add(data)
            yield encoding, data


def scalar_numbers(curve: OkpCurve, found: bytes) -> dict[str, bytes]:
    """What follows of an Ed25519 or Ed448 key from a scalar alone, clamped or not; its seed does not."""
    scalar = clamped(curve, found)
    reduced = int.from_bytes(scalar, "little") % EDWARDS_ORDERS[curve]
    numbers = {"scalar": scalar, "scalar_mod": reduced.to_bytes(len(found), "little")}
    return numbers if found == scalar else numbers | {"scalar_raw": found}


def whole_keys(private: PrivateKey) -> Iterator[tuple[str, bytes]]:
    """The whole private key as DER: (``pkcs1-der``, ``sec1-der`` or nothing) and ``pkcs8-der``."""
    if isinstance(private, RsaPrivate):
        yield "pkcs1-der", to_pkcs1(private)
    elif isinstance(private, EcPrivate):
        yield "sec1-der", to_sec1(private)
    yield "pkcs8-der", to_pkcs8(private)


def in_lines(private: PrivateKey) -> Iterator[tuple[str, str, bytes]]:
    """Every number as it stands in the PEM text of the whole key, as (name, ``base64-lines``, characters).

    A PEM text of which a part was overwritten is no key any more, but may hold whole numbers. The line ends
    in them stand where they do in no other base64 text: the sweep has to know them.
    """
    numbers = secret_numbers(private)
    for key in _keys_as_made(private):
        text = base64.b64encode(key)
        for line_end in (b"\n", b"\r\n", b"\\n"):
            for name, value in numbers.items():
                data = value if isinstance(value, bytes) else bignum.be(value, _least_width(name, private))
                at = key.find(data)
                characters = _certain(at, len(data))
                if at >= 0 and characters.start // 64 < (characters.stop - 1) // 64:
                    yield name, "base64-lines", _broken(text, characters, line_end)


def _keys_as_made(private: PrivateKey) -> Iterator[bytes]:
    """The whole key as DER; of RSA with each private exponent that makers of keys choose (modulo φ or λ)."""
    variants = [private]
    if isinstance(private, RsaPrivate):
        numbers = _rsa_numbers(private)
        exponents = {numbers[name] for name in ("d", "d_lambda", "d_given") if name in numbers}
        variants = [replace(private, d=Secret(d)) for d in sorted(exponents) if isinstance(d, int)]
    for variant in variants:
        for _, key in whole_keys(variant):
            yield key


def _certain(at: int, length: int) -> slice:
    """The characters of base64 that hold nothing but bytes of the ``length`` at ``at``."""
    return slice(-(-8 * at // 6), 8 * (at + length) // 6)


def _broken(text: bytes, characters: slice, line_end: bytes) -> bytes:
    """These characters of a text that is broken into lines of 64."""
    first, last = characters.start, characters.stop
    starts = [first, *range((first // 64 + 1) * 64, last, 64), last]
    return line_end.join(text[start:stop] for start, stop in pairwise(starts))


def _rsa_numbers(private: RsaPrivate) -> dict[str, SecretNumber]:
    p, q, d = private.p.reveal(), private.q.reveal(), private.d.reveal()
    phi, lam = (p - 1) * (q - 1), lcm(p - 1, q - 1)
    r_p, r_q = (1 << 64 * ((prime.bit_length() + 63) // 64) for prime in (p, q))
    qinv, pinv = private.qinv.reveal(), pow(p, -1, q)
    numbers: dict[str, SecretNumber] = {
        "p": p,
        "q": q,
        "d": pow(private.public.e, -1, phi),
        "d_lambda": pow(private.public.e, -1, lam),
        "dp": private.dp.reveal(),
        "dq": private.dq.reveal(),
        "qinv": qinv,
        "pinv": pinv,
        "r_p": r_p % p,
        "r_q": r_q % q,
        "rr_p": r_p * r_p % p,
        "rr_q": r_q * r_q % q,
        "qinv_mont": qinv * r_p % p,
        "pinv_mont": pinv * r_q % q,
    }
    if d not in (numbers["d"], numbers["d_lambda"]):
        numbers["d_given"] = d
    return numbers


def _ec_numbers(private: EcPrivate) -> dict[str, SecretNumber]:
    curve, d = CURVES[private.public.curve], private.d.reveal()
    r = 1 << 64 * ((curve.size + 7) // 8)
    return {"d": d, "d_mont": d * r % curve.n, "d_mont_p": d * r % curve.p}


def _okp_numbers(private: OkpPrivate) -> dict[str, SecretNumber]:
    curve, seed = private.public.curve, private.seed.reveal()
    if curve in ("X25519", "X448"):
        return {"seed": seed, "scalar": clamped(curve, seed)}
    expanded = hashlib.sha512(seed).digest() if curve == "Ed25519" else hashlib.shake_256(seed).digest(114)
    half = len(expanded) // 2
    raw, prefix = expanded[:half], expanded[half:]
    scalar = clamped(curve, raw)
    reduced = int.from_bytes(scalar, "little") % EDWARDS_ORDERS[curve]
    return {
        "seed": seed,
        "scalar": scalar,
        "scalar_raw": raw,
        "scalar_mod": reduced.to_bytes(half, "little"),
        "prefix": prefix,
        "expanded": expanded,
        "expanded_clamped": scalar + prefix,
    }


def clamped(curve: str, raw: bytes) -> bytes:
    """A scalar of 32, 56 or 57 bytes with its fixed bits set (RFC 7748, section 5; RFC 8032, section 5)."""
    scalar = bytearray(raw)
    if curve in ("Ed25519", "X25519"):
        scalar[0] &= 0xF8
        scalar[31] = scalar[31] & 0x7F | 0x40
    else:
        scalar[0] &= 0xFC
        scalar[55] |= 0x80
        scalar[56:] = bytes(len(scalar[56:]))
    return bytes(scalar)


def _all_encodings(name: str, value: SecretNumber, private: PrivateKey | None) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, bytes):
        yield "raw", value
        yield "be", value[::-1]
        if name.startswith(
            "scalar"
        ):  # a little-endian number, which big-number libraries hold in their own way
            number = int.from_bytes(value, "little")
            yield "be32w", bignum.be32w(number)
            yield "be64w", bignum.be64w(number)
            yield "py30", bignum.py30(number)
            yield "smi28", bignum.smi28(number)
        yield from _texts(value)
        return
    width = _width(name, private)
    big = bignum.be(value, width)
    yield "le64", bignum.le64(value, (width + 7) // 8)
    yield "le-minimal", bignum.le_minimal(value)
    yield "be", big
    yield "be-minimal", bignum.be(value)
    yield "be32w", bignum.be32w(value)
    yield "be64w", bignum.be64w(value)
    yield "py30", bignum.py30(value)
    yield "smi28", bignum.smi28(value)
    yield "limb52", bignum.limb52(value)
    yield from _both_charsets("decimal", bignum.decimal(value))
    yield from _texts(big)
    digits = f"{value:x}".encode("ascii")  # as languages print a number: no zero in front, not even of a byte
    yield from _both_charsets("hex-minimal", digits)
    yield from _both_charsets("hex-upper-minimal", digits.upper())
    minimal = bignum.be(value)
    if len(minimal) < width:
        yield from _base64(minimal, "-minimal")


def _both_charsets(name: str, text: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, text
    yield f"{name}-utf16le", text.decode("ascii").encode("utf-16-le")


def _texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Base64, base64url and hex of ``data``, each also as UTF-16LE."""
    yield from _base64(data)
    yield from _both_charsets("hex", data.hex().encode("ascii"))
    yield from _both_charsets("hex-upper", data.hex().upper().encode("ascii"))


def _base64(data: bytes, mark: str = "") -> Iterator[tuple[str, bytes]]:
    """Base64 and base64url of ``data``, whole and at each phase; ``mark`` comes after the name."""
    texts = [("base64", base64.b64encode(data).rstrip(b"="))]
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        texts.append((f"base64-{before + 1}", text[_certain(before, len(data))]))
    to_url = bytes.maketrans(b"+/", b"-_")
    texts += [(name.replace("base64", "base64url"), text.translate(to_url)) for name, text in texts]
    for name, text in texts:
        yield from _both_charsets(name + mark, text)


def _least_width(name: str, private: PrivateKey) -> int:
    """Bytes of a number in DER: scalars have the width of the curve, INTEGERs their own."""
    return 0 if isinstance(private, RsaPrivate) else _width(name, private)


def _width(name: str, private: PrivateKey | None) -> int:
    """Bytes of the fixed-width form of an integer; 0 if that is not known."""
    if private is None:
        return 0
    if isinstance(private, RsaPrivate):
        if name in ("d", "d_lambda", "d_given"):
            return bignum.byte_length(private.public.n)
        prime = private.q if name in ("q", "dq", "r_q", "rr_q", "pinv", "pinv_mont") else private.p
        return bignum.byte_length(prime.reveal())
    if isinstance(private, EcPrivate):
        return EC_BYTES[private.public.curve]
    return OKP_BYTES[private.public.curve]
