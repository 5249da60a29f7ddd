"""What to erase of a key: all its numbers in all encodings, and how short a piece of each still counts.

A piece of eight aligned bytes of a number as machines hold it is erased: that some other word of an image of
a gigabyte equals one of the 10^5 windows of a key by chance has odds of about 1 to 10^6. Texts and digits
hold fewer bits in a word, so pieces of them count from a length on that holds fifteen bytes of the secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from immure.keymaterial import bignum
from immure.keymaterial.encodings import SHORTEST, encodings
from immure.keymaterial.private import RsaPrivate
from immure.redact.options import NamedSecret
from immure.scanning.proofs import Proof

#: Shortest pieces in bytes, by what the name of an encoding begins with; 8 for all others.
_LEAST: Final = {
    "smi28": 20,
    "limb52": 20,
    "py30": 16,
    "decimal": 36,
    "hex": 30,
    "base64": 20,
}
#: Shortest piece of all.
SHORTEST_PIECE: Final = 8
_WORD: Final = SHORTEST_PIECE
#: From here on a secret of which the bytes are known is found in pieces; below, as a whole only.
PIECEWISE_BYTES: Final = SHORTEST


@dataclass(frozen=True, slots=True)
class Needle:
    """A byte string to erase. ``least`` is the shortest piece of it that is erased, ``length`` how much of
    ``data`` is secret (behind it stands padding that is in no image)."""

    kind: str
    encoding: str
    key: str | None
    data: bytes
    least: int
    length: int

    def __repr__(self) -> str:
        return f"Needle({self.kind!r}, {self.encoding!r}, {self.key!r}, {self.length} bytes)"


def needles_of(proof: Proof, thumbprint: str) -> Iterator[Needle]:
    """Everything to erase of a proved key."""
    for secret, encoding, data in proof.needles():
        # a whole key holds the public one, too, pieces of which may stay
        least = len(data) if secret == "key" else least_piece(encoding)
        yield Needle(secret, encoding, thumbprint, data, least, len(data))
    if isinstance(proof.private, RsaPrivate):
        yield from _more_of_rsa(proof.private, thumbprint)


def least_piece(encoding: str) -> int:
    """Bytes of the shortest piece of a number in this encoding that is erased."""
    least = next((size for start, size in _LEAST.items() if encoding.startswith(start)), _WORD)
    return 2 * least if encoding.endswith("utf16le") else least


def _more_of_rsa(private: RsaPrivate, thumbprint: str) -> Iterator[Needle]:
    """What a search for keys need not know: p - 1, q - 1, and -1/p modulo 2^64, which is the lowest word of a
    prime in disguise (Montgomery contexts keep it, as n0)."""
    for name, prime in (("p", private.p.reveal()), ("q", private.q.reveal())):
        for encoding, data in encodings(f"{name}_less_1", prime - 1, private):
            yield Needle(f"{name}_less_1", encoding, thumbprint, data, least_piece(encoding), len(data))
        inverse = pow(prime, -1, 1 << 64)
        for sign, word in (("", inverse), ("minus_", (1 << 64) - inverse)):
            for order in ("little", "big"):
                data = word.to_bytes(8, "little" if order == "little" else "big")
                yield _padded(f"n0_{sign}{name}", f"{order}-endian word", thumbprint, data)


def _padded(kind: str, encoding: str, key: str | None, data: bytes) -> Needle:
    """A needle of less than the sweep takes, made longer by bytes that nobody has seen before."""
    padding = os.urandom(SHORTEST - len(data)) if len(data) < SHORTEST else b""
    return Needle(kind, encoding, key, data + padding, len(data), len(data))


def needles_of_secret(secret: NamedSecret) -> Iterator[Needle]:
    """Everything to erase of a secret whose bytes are known and long enough to be found in pieces."""
    value = secret.value.reveal()
    if len(value) < PIECEWISE_BYTES:
        return
    for encoding, data in encodings("secret", value, None):
        yield Needle("secret", encoding, secret.name, data, least_piece(encoding), len(data))
    swapped = bignum.be32w(int.from_bytes(value, "big"))
    if len(value) % 4 == 0 and len(swapped) == len(value):
        yield Needle("secret", "be32w", secret.name, swapped, _WORD, len(swapped))


def short_writings(secret: NamedSecret) -> Iterator[tuple[str, bytes]]:
    """How a secret of less than :data:`PIECEWISE_BYTES` may be written, as (encoding, bytes); each is erased
    as a whole."""
    import base64

    value = secret.value.reveal()
    if len(value) >= PIECEWISE_BYTES:
        return
    yield "raw", value
    yield "hex", value.hex().encode()
    yield "hex-upper", value.hex().upper().encode()
    yield "utf16le", b"".join(bytes((byte, 0)) for byte in value)
    for before in range(3):
        text = base64.b64encode(bytes(before) + value)
        certain = text[-(-8 * before // 6) : 8 * (before + len(value)) // 6]
        yield f"base64-{before + 1}", certain
        if b"+" in certain or b"/" in certain:
            yield f"base64url-{before + 1}", certain.translate(bytes.maketrans(b"+/", b"-_"))


def unique(needles: Iterable[Needle]) -> list[Needle]:
    """Of needles with the same bytes the first."""
    seen: dict[bytes, Needle] = {}
    for needle in needles:
        if needle.length >= _WORD:
            seen.setdefault(needle.data[: needle.length], needle)
    return list(seen.values())
