"""From candidates to certainty: what a scan has proved about which key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

from immure.errors import KeyFormatError
from immure.keymaterial.curves import CURVES
from immure.keymaterial.encodings import encodings, in_lines, scalar_numbers, secret_numbers, whole_keys
from immure.keymaterial.key import EcNumbers, Numbers, OkpNumbers, RsaNumbers
from immure.keymaterial.private import (
    PrivateKey,
    ec_from_scalar,
    okp_from_seed,
    rsa_from_exponent,
    rsa_from_prime,
)
from immure.scanning.kernels.rsa import EXPONENT_MULTIPLE
from immure.secret import Secret


@dataclass(frozen=True, slots=True)
class Proof:
    """A key whose secret was found at ``offset``, why that is certain, and all that follows from it.

    ``private`` is None if only a scalar of an octet key pair is known: its seed cannot be computed from that.
    ``secret`` names what was found; ``text`` is (length, kind) of the text in which it was written, if any.
    """

    public: Numbers
    words: str
    offset: int
    private: PrivateKey | None
    scalar: Secret[bytes] | None = None
    secret: str = "key"
    text: tuple[int, str] | None = None

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Of several proofs the least is reported, whichever came first: one by a whole key or seed says more
        than one by a mere scalar, from which no seed follows."""
        form = 0 if self.secret == "key" else 1 if self.text is not None else 2
        return self.private is None, form, self.offset

    def needles(self) -> list[tuple[str, str, bytes]]:
        """Every byte string to sweep for, as (secret, encoding, bytes); the bytes are secret."""
        seen: set[bytes] = set()
        result: list[tuple[str, str, bytes]] = []

        def put(secret: str, encoding: str, data: bytes) -> None:
            if len(data) >= 16 and data not in seen:
                seen.add(data)
                result.append((secret, encoding, data))

        if self.private is not None:
            for name, value in secret_numbers(self.private).items():
                for encoding, data in encodings(name, value, self.private):
                    put(name, encoding, data)
            for name, encoding, data in in_lines(self.private):
                put(name, encoding, data)
            for encoding, data in whole_keys(self.private):
                put("key", encoding, data)
        elif self.scalar is not None and isinstance(self.public, OkpNumbers):
            for name, data in scalar_numbers(self.public.curve, self.scalar.reveal()).items():
                for encoding, written in encodings(name, data, None):
                    put(name, encoding, written)
        return result


def prove_prime(public: RsaNumbers, value: int, secret: str, offset: int) -> Proof | None:
    """``value`` (or a factor that it shares with n) is a prime factor of the key's modulus; ``secret`` names
    what was found."""
    factor = gcd(value, public.n)
    # with a modulus that is no product of two primes, any number may share a small factor: that is no find
    least = public.n.bit_length() // 4
    if not least < factor.bit_length() < public.n.bit_length() - least + 1:
        return None
    if min(factor, public.n // factor).bit_length() < public.n.bit_length() // 4:
        return None  # a small factor, as any number has that is no RSA modulus
    try:
        private = rsa_from_prime(public, factor)
    except KeyFormatError:
        return None
    what = {
        "prime": f"a {factor.bit_length()}-bit number divides n",
        "r": f"R minus the number is a {factor.bit_length()}-bit factor of n"
        " (R mod p, a Montgomery constant)",
        "rr": f"gcd(R² − the number, n) is a {factor.bit_length()}-bit factor of n"
        " (R² mod p, a Montgomery constant)",
    }[secret]
    place = "p" if factor == private.p.reveal() else "q"
    return Proof(public, what, offset, private, secret=place if secret == "prime" else f"{secret}_{place}")


def prove_exponent(public: RsaNumbers, value: int, offset: int) -> Proof | None:
    """``value`` is a private exponent of the key."""
    if not 1 < value < public.n:
        return None
    rest = public.e * EXPONENT_MULTIPLE * value % public.n
    if min(rest, public.n - rest).bit_length() > public.n.bit_length() // 2 + 64:
        return None  # all but a few false candidates end here, before anything costs time
    try:
        private = rsa_from_exponent(public, value)
    except KeyFormatError:
        return None
    return Proof(public, "e times the number is 1 modulo λ(n), which factors n", offset, private, secret="d")


def prove_scalar(public: EcNumbers | OkpNumbers, secret: str, data: bytes | int, offset: int) -> Proof | None:
    """The scalar, seed or clamped scalar ``data`` has the key's public point."""
    try:
        if isinstance(public, EcNumbers):
            if not isinstance(data, int):
                return None
            private: PrivateKey = ec_from_scalar(public.curve, data)
            if private.public != public:
                return None
            return Proof(public, "the number times G is the public point", offset, private, secret="d")
        if not isinstance(data, bytes):
            return None
        if secret == "seed" or public.curve in ("X25519", "X448"):
            private = okp_from_seed(public.curve, data)
            if private.public != public:
                return None
            words = "the public key follows from these bytes as its seed"
            return Proof(public, words, offset, private, secret="seed")
    except KeyFormatError:
        return None
    words = "the clamped number times B is the public point"
    return Proof(public, words, offset, None, Secret(data), secret="scalar")


def prove_montgomery(public: EcNumbers, number: int, offset: int) -> Proof | None:
    """``number`` or its negative is d·R modulo the order of the group."""
    curve = CURVES[public.curve]
    scalar = number * pow(1 << 64 * ((curve.size + 7) // 8), -1, curve.n) % curve.n
    for candidate in (scalar, curve.n - scalar):
        proof = prove_scalar(public, "d", candidate, offset)
        if proof is not None:
            words = "the number divided by R, times G, is the public point (d in Montgomery form)"
            return replace(proof, words=words, secret="d_mont")
    return None


def proof_of_private(private: PrivateKey, encoding: str, offset: int) -> Proof:
    """An encoded private key that parsed, and whose arithmetic held."""
    return Proof(private.public, f"a whole private key ({encoding}) whose arithmetic holds", offset, private)
