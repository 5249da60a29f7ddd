"""Images made to keep a scanner busy. Each function gives about ``size`` bytes."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

from immure.keymaterial.key import RsaNumbers

from .material import private


def _repeated(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def pem_headers(size: int) -> bytes:
    return _repeated(b"-----BEGIN RSA PRIVATE KEY-----\n", size)


def pem_headers_with_text(size: int) -> bytes:
    return _repeated(b"-----BEGIN PRIVATE KEY-----\n" + b"MIIE" * 9 + b"\n", size)


def der_prefixes(size: int) -> bytes:
    return _repeated(
        bytes.fromhex("308204bd020100300d06092a864886f70d0101010500048204a7308204a3020100"), size
    )


def scalar_prefixes(size: int) -> bytes:
    """What begins like the inside of a PKCS#8 Ed25519 key, or of a SEC 1 key, with other bytes each time."""
    chance = random.Random("scalar prefixes")
    return b"".join(b"\x04\x22\x04\x20" + chance.randbytes(28) for _ in range(size // 32))


def fake_moduli(size: int) -> bytes:
    """Odd numbers of 1,024 bits beside an exponent, as DER."""
    chance = random.Random("fake moduli")
    heads = b"\x30\x81\x89\x02\x81\x81\x00"
    tail = b"\x02\x03\x01\x00\x01"
    one = len(heads) + 128 + len(tail)
    numbers = ((chance.getrandbits(1024) | 1 | 1 << 1023).to_bytes(128, "big") for _ in range(size // one))
    return b"".join(heads + number + tail for number in numbers)


def jwk_heads(size: int) -> bytes:
    return _repeated(b'{"kty":"RSA","n":"AQAB",{{{{{{{{', size)


def short_runs(size: int) -> bytes:
    """One word that is not dull, one that is."""
    return random.Random("short runs").randbytes(8 * 64).join([bytes(8)] * (size // (8 * 65)))


def one_word_runs(size: int) -> bytes:
    chance = random.Random("one word runs")
    return b"".join(chance.randbytes(8) + bytes(8) for _ in range(size // 16))


def long_base64(size: int) -> bytes:
    return base64.b64encode(random.Random("base64").randbytes(size // 4 * 3))


def base64_pieces(size: int) -> bytes:
    return b" ".join(base64.b64encode(random.Random(n).randbytes(33)) for n in range(size // 45))


def hexadecimal(size: int) -> bytes:
    return random.Random("hex").randbytes(size // 2).hex().encode()


def noise(size: int) -> bytes:
    return random.Random("noise").randbytes(size)


def public_exponents(size: int) -> bytes:
    return _repeated(b"\x02\x03\x01\x00\x01" + b"\x02\x82\x01\x01" + b"\xa5" * 7, size)


def ssh_heads(size: int) -> bytes:
    return _repeated(b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ" + b"C" * 40 + b"\n", size)


def private_keys_in_part(size: int) -> bytes:
    """The beginning of a real key, over and over: parses for a while each time."""
    from immure.keymaterial.serialize import to_pkcs8

    return _repeated(to_pkcs8(private("RSA-2048"))[:400], size)


def silly_key(bits: int) -> RsaNumbers:
    """A modulus of so many bits, odd and without small factors as far as anybody looks."""
    return RsaNumbers((1 << bits - 1) + 1 | 1, 65537)


IMAGES: dict[str, Callable[[int], bytes]] = {
    maker.__name__: maker
    for maker in (
        pem_headers, pem_headers_with_text, der_prefixes, scalar_prefixes, fake_moduli, jwk_heads, short_runs,
        one_word_runs, long_base64, base64_pieces, hexadecimal, noise, public_exponents, ssh_heads,
        private_keys_in_part,
    )
}  # fmt: skip
