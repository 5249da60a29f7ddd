"""Keys and images that the tests of the scanner share. The same arguments always give the same bytes.

No private key is written down here. Keys come out of seeded generators; those of RSA primes were chosen such
that the first number they draw is prime, so that even RSA-8192 takes no time to make.
"""

from __future__ import annotations

import random
from functools import cache, lru_cache

from immure.dumps.detect import parse_image
from immure.dumps.dump import Image
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.keymaterial.curves import CURVES
from immure.keymaterial.encodings import encodings, secret_numbers, whole_keys
from immure.keymaterial.key import OKP_BYTES, Origin, PublicKey, RsaNumbers
from immure.keymaterial.private import PrivateKey, ec_from_scalar, okp_from_seed, rsa_from_prime
from immure.scanning.finding import ImageReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image
from immure.synth import ordinary_memory, plant

#: bits of a prime: seeds of two whose first number is prime
PRIME_SEEDS = {
    512: (149, 307),
    520: (6, 34),
    768: (128, 258),
    1024: (114, 1125),
    1536: (299, 2286),
    2048: (20, 722),
    4096: (2367, 8175),
}
#: Products of the primes above; those of 768 and of 1,024 bits have one bit less than they might.
RSA = ("RSA-1024", "RSA-1040", "RSA-1536", "RSA-2048", "RSA-3072", "RSA-4096", "RSA-8192")
EC = ("P-256", "P-384", "P-521", "secp256k1")
OKP = ("Ed25519", "Ed448", "X25519", "X448")
KINDS = RSA + EC + OKP
PAGE = 4096


@cache
def private(kind: str, number: int = 0) -> PrivateKey:
    """The private key of this kind and number (RSA: number 0 only)."""
    chance = random.Random(f"{kind} {number}")
    if kind.startswith("RSA"):
        bits = int(kind[4:]) // 2
        p, q = (random.Random(seed).getrandbits(bits) | 1 | 1 << bits - 1 for seed in PRIME_SEEDS[bits])
        return rsa_from_prime(RsaNumbers(p * q, 65537), p)
    if kind in CURVES:
        return ec_from_scalar(kind, chance.randrange(1, CURVES[kind].n))
    return okp_from_seed(kind, chance.randbytes(OKP_BYTES[kind]))


def public(kind: str, number: int = 0) -> PublicKey:
    """Its public half, as the user would name it."""
    return PublicKey(private(kind, number).public, Origin(source="named.jwks", kid=f"{kind}.{number}"))


@cache
def forms(kind: str) -> dict[tuple[str, str], bytes]:
    """Every secret of the key in every encoding, whole keys included, by (secret, encoding)."""
    key = private(kind)
    numbers = secret_numbers(key)
    found = {
        (name, form): data for name, value in numbers.items() for form, data in encodings(name, value, key)
    }
    return found | {("key", form): data for form, data in whole_keys(key)}


def filler(name: str, size: int, seed: int = 0) -> bytearray:
    """Memory to plant into: ``zeros``, ``random`` bytes, ``text``, or a mixture (``ordinary``)."""
    return bytearray(_filler(name, size, seed))


@lru_cache(256)
def _filler(name: str, size: int, seed: int) -> bytes:
    chance = random.Random(f"{name} {seed}")
    if name == "zeros":
        return bytes(size)
    if name == "random":
        return chance.randbytes(size)
    if name == "text":
        words = ("the", "quick", "brown", "fox", "jumps", "over", "13", "lazy", "dogs\n")
        return " ".join(chance.choices(words, k=size // 3)).encode()[:size].ljust(size)
    return bytes(ordinary_memory(size, seed))


def image_of(data: bytes | bytearray, path: str = "test.raw") -> Image:
    """An open image of these bytes, whatever format they are in."""
    return parse_image(path, BytesReader(bytes(data)), Limits())


def planted(
    data: bytes, offset: int, *, name: str = "zeros", size: int = 16 * PAGE, seed: int = 0
) -> bytearray:
    """Filler with ``data`` at ``offset``."""
    memory = filler(name, size, seed)
    plant(memory, offset, data)
    return memory


def scan(data: bytes | bytearray | Image, *kinds: str, **options: object) -> ImageReport:
    """The report on an image, with the public keys of ``kinds`` named; one thread if not said otherwise."""
    options = {"threads": 1, "chunk_bytes": 1 << 20} | options
    image = data if isinstance(data, Image) else image_of(data)
    return scan_image(image, [public(kind) for kind in kinds], ScanOptions(**options))  # type: ignore[arg-type]
