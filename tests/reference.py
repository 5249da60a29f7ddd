"""The slow, plain search that the scanner is held against.

It knows the private numbers, derives everything that gives a key away, writes each of them in every layout
that real programs were seen to use, and looks for every whole occurrence at every byte offset with
``bytes.find``. It shares no code with ``immure``: not the arithmetic, not the layouts, not the way of reading
a file. Two things are left out, and neither can hold a needle: windows of zeros, and windows without any
aligned word of the needle.

>>> numbers = ed25519_secrets(bytes(range(32)))
>>> sorted(numbers)[:2]
['prefix', 'scalar']
"""

from __future__ import annotations

import base64
import bisect
import errno
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Ranges without data, and windows of zeros, hold no needle: every needle has a byte that is not zero.
WINDOW = 1 << 18

#: Not asked of the scanner, but looked for, so that we learn of layouts that nobody expects.
EXTRA_SECRETS = frozenset({"p_minus_1", "q_minus_1"})
EXTRA_ENCODINGS = frozenset({"smi31"})

ED25519_ORDER = (1 << 252) + 27742317777372353535851937790883648493

#: No needle has fewer characters than this in base64.
BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_=\-\r\n\\]{40,}")
ZERO_RUN = re.compile(rb"\x00{39,}")
#: What may stand inside base64 text without belonging to it: line ends, also as JSON writes them.
BASE64_BREAK = re.compile(rb"\\[nr]|[\r\n\\=]+")
DER_INTEGER = re.compile(rb"\x02(?:[\x01-\x7f]|\x81.|\x82..)\x00?\Z", re.DOTALL)
DER_OCTETS = re.compile(rb"\x04[\x01-\x7f]\x00*\Z", re.DOTALL)


Secrets = dict[str, int] | dict[str, bytes]


class Needle(NamedTuple):
    """Bytes to look for."""

    kid: str
    secret: str
    encoding: str
    data: bytes


class Hit(NamedTuple):
    """A whole number of the key ``kid`` in a file."""

    kid: str
    secret: str
    encoding: str
    offset: int
    length: int


def rsa_secrets(p: int, q: int, e: int) -> dict[str, int]:
    """Every number that gives an RSA key away."""
    phi = (p - 1) * (q - 1)
    gcd = _gcd(p - 1, q - 1)
    r_p, r_q = (1 << (64 * -(-prime.bit_length() // 64)) for prime in (p, q))
    qinv, pinv = pow(q, -1, p), pow(p, -1, q)
    d, d_lambda = pow(e, -1, phi), pow(e, -1, phi // gcd)
    numbers = {
        "p": p,
        "q": q,
        "d": d,
        "d_lambda": d_lambda,
        "dp": d % (p - 1),
        "dq": d % (q - 1),
        "qinv": qinv,
        "pinv": pinv,
        "r_p": r_p % p,
        "r_q": r_q % q,
        "rr_p": r_p * r_p % p,
        "rr_q": r_q * r_q % q,
        "qinv_mont": qinv * r_p % p,
        "pinv_mont": pinv * r_q % q,
        "p_minus_1": p - 1,
        "q_minus_1": q - 1,
    }
    if d == d_lambda:
        del numbers["d_lambda"]
    return numbers


def ec_secrets(d: int, order: int) -> dict[str, int]:
    """The scalar, and its Montgomery form modulo the order of the group."""
    width = 64 * -(-order.bit_length() // 64)
    return {"d": d, "d_mont": (d << width) % order}


def ed25519_secrets(seed: bytes) -> dict[str, bytes]:
    """Seed, both halves of its SHA-512, and the scalar clamped and reduced, as they stand in memory
    (little-endian)."""
    digest = hashlib.sha512(seed).digest()
    scalar = bytearray(digest[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 63 | 64
    reduced = int.from_bytes(scalar, "little") % ED25519_ORDER
    secrets = {
        "seed": seed,
        "prefix": digest[32:],
        "scalar": bytes(scalar),
        "scalar_raw": digest[:32],
        "scalar_mod": reduced.to_bytes(32, "little"),
    }
    if secrets["scalar_raw"] == secrets["scalar"]:
        del secrets["scalar_raw"]
    return secrets


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _digits(value: int, bits: int, width: int, shift: int = 0) -> bytes:
    """Little-endian digits of ``bits`` bits, each in ``width`` bytes, moved up by ``shift`` bits."""
    out = []
    while value:
        out.append(((value & ((1 << bits) - 1)) << shift).to_bytes(width, "little"))
        value >>= bits
    return b"".join(out)


def _words(value: int, width: int) -> bytes:
    """Most significant word first, each word little-endian."""
    return b"".join(
        reversed([_digits(value, 8 * width, width)[i : i + width] for i in _starts(value, width)])
    )


def _starts(value: int, width: int) -> range:
    return range(0, width * -(-value.bit_length() // (8 * width)), width)


def layouts(value: int) -> dict[str, bytes]:
    """The ways to write a number, without leading zeros, so that padded forms are found as well."""
    big = value.to_bytes((value.bit_length() + 7) // 8, "big")
    plain = {
        "le64": big[::-1],
        "be": big,
        "be32w": _words(value, 4),
        "be64w": _words(value, 8),
        "py30": _digits(value, 30, 4),
        "smi28": _digits(value, 28, 8, shift=32),
        "smi31": _digits(value, 28, 4, shift=1),
        "limb52": _digits(value, 52, 8),
    }
    return plain | _texts({"hex": f"{value:x}", "hex-upper": f"{value:X}", "decimal": str(value)})


def _texts(texts: dict[str, str]) -> dict[str, bytes]:
    charsets = {"": "ascii", "-utf16le": "utf-16-le", "-utf16be": "utf-16-be"}
    return {
        name + tail: text.encode(charset)
        for name, text in texts.items()
        for tail, charset in charsets.items()
    }


def needles_for(kid: str, secrets: Secrets) -> list[Needle]:
    """Every secret in every layout that needs no decoding."""
    found = []
    for name, value in secrets.items():
        if isinstance(value, int):
            forms = layouts(value)
            if name in EXTRA_SECRETS:
                forms = {encoding: forms[encoding] for encoding in ("le64", "be", "be32w", "be64w")}
        else:
            forms = {"raw": value, "reversed": value[::-1]} | _texts(
                {"hex": value.hex(), "hex-upper": value.hex().upper()}
            )
        found += [Needle(kid, name, encoding, data) for encoding, data in forms.items()]
    return found


def base64_needles_for(kid: str, secrets: Secrets) -> list[Needle]:
    """The characters of base64 that belong wholly to the secret, for each of the three phases it may stand
    at."""
    found = []
    for name, value in secrets.items():
        if name in EXTRA_SECRETS:
            continue
        raw = value if isinstance(value, bytes) else value.to_bytes((value.bit_length() + 7) // 8, "big")
        for phase in range(3):
            text = base64.b64encode(bytes(phase) + raw)
            text = text[-(-8 * phase // 6) : 8 * (phase + len(raw)) // 6]
            found.append(Needle(kid, name, "base64", text))
    return found


def windows(path: Path, size: int, overlap: int) -> Iterator[tuple[int, bytes]]:
    """The file piece by piece, each with the ``overlap`` bytes after it; pieces that hold only zeros are left
    out."""
    zeros = bytes(size + overlap)
    with path.open("rb", buffering=0) as file:
        end, start = os.fstat(file.fileno()).st_size, 0
        while start < end:
            data_at = _next_data(file.fileno(), start, end)
            if data_at >= start + size + overlap:
                start = max(start + size, (data_at - overlap) // size * size)
                continue
            window = os.pread(file.fileno(), size + overlap, start)
            if window != zeros[: len(window)]:
                yield start, window
            start += size


def _next_data(fd: int, start: int, end: int) -> int:
    try:
        return os.lseek(fd, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole up to the end
            return end + (1 << 60)
        raise


def _find_all(window: bytes, data: bytes) -> Iterator[int]:
    at = window.find(data)
    while at >= 0:
        yield at
        at = window.find(data, at + 1)


def _label(needle: Needle, window: bytes, at: int) -> str:
    """Call a big-endian number ``der`` where a DER header stands before it."""
    if needle.encoding in ("be", "raw"):
        before = window[max(0, at - 5) : at]
        if DER_INTEGER.search(before) or DER_OCTETS.search(before):
            return "der"
    return needle.encoding


def aligned_words(needles: list[Needle]) -> dict[int, list[int]]:
    """The words of eight bytes that begin at one of the first eight bytes of a needle, and the needles (by
    their index) of which they are.

    Wherever a needle of 15 bytes or more stands, one of these stands in it at an address that eight divides.
    """
    assert all(len(needle.data) >= 15 for needle in needles)
    words: dict[int, list[int]] = {}
    for index, needle in enumerate(needles):
        for start in range(8):
            word = int.from_bytes(needle.data[start : start + 8], sys.byteorder)
            words.setdefault(word, []).append(index)
    return words


def _plain_hits(window: bytes, needles: list[Needle], words: dict[int, list[int]]) -> Iterator[Hit]:
    present = words.keys() & memoryview(window[: len(window) & ~7]).cast("Q")
    for index in sorted({index for word in present for index in words[word]}):
        needle = needles[index]
        for at in _find_all(window, needle.data):
            yield Hit(needle.kid, needle.secret, _label(needle, window, at), at, len(needle.data))


def _base64_hits(window: bytes, needles: list[Needle]) -> Iterator[Hit]:
    wanted = [(needle, variant) for needle in needles for variant in {needle.data, _url(needle.data)}]
    for match in BASE64_RUN.finditer(window):
        for hit in _base64_run_hits(match.group(), wanted):
            yield hit._replace(offset=match.start() + hit.offset)
    for parity, start, run in _utf16_runs(window):
        for hit in _base64_run_hits(run, wanted):
            offset = 2 * (start + hit.offset) + parity
            yield hit._replace(encoding=f"{hit.encoding}-utf16le", offset=offset, length=2 * hit.length)


def _utf16_runs(window: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Base64 text in UTF-16, as (parity of its bytes, index among the bytes of that parity, characters).

    Every second byte is a character, the others are zero. Big-endian text is little-endian text one byte
    later.
    """
    for parity in (0, 1):
        characters, others = window[parity::2], window[1 - parity :: 2]
        shift = parity  # what follows the character at index i is the other byte at index i + shift
        for match in BASE64_RUN.finditer(characters):
            for zeros in ZERO_RUN.finditer(others, match.start() + shift, match.end() + shift):
                start, end = zeros.start() - shift, min(zeros.end() - shift + 1, match.end())
                yield parity, start, characters[start:end]


def _url(text: bytes) -> bytes:
    return text.replace(b"+", b"-").replace(b"/", b"_")


def _base64_run_hits(run: bytes, wanted: list[tuple[Needle, bytes]]) -> Iterator[Hit]:
    places, pieces, at = [], [], 0
    for gap in [*BASE64_BREAK.finditer(run), None]:
        end = gap.start() if gap else len(run)
        places.append(at)
        pieces.append(run[at:end])
        at = gap.end() if gap else end
    joined = b"".join(pieces)
    begins = [0]
    for piece in pieces[:-1]:
        begins.append(begins[-1] + len(piece))

    def place(index: int) -> int:
        piece = bisect.bisect_right(begins, index) - 1
        return places[piece] + index - begins[piece]

    for needle, text in wanted:
        for index in _find_all(joined, text):
            first, last = place(index), place(index + len(text) - 1)
            broken = last - first >= len(text)
            name = "pem" if broken else "base64url" if text != needle.data else "base64"
            yield Hit(needle.kid, needle.secret, name, first, last + 1 - first)


def search(path: Path, keys: dict[str, Secrets], *, window: int = WINDOW) -> set[Hit]:
    """Every whole occurrence, in the file at ``path``, of every secret of every key (by its kid)."""
    plain = [needle for kid, secrets in keys.items() for needle in needles_for(kid, secrets)]
    encoded = [needle for kid, secrets in keys.items() for needle in base64_needles_for(kid, secrets)]
    words = aligned_words(plain)
    overlap = 2 * max(len(needle.data) for needle in plain) + 256
    hits: set[Hit] = set()
    for start, data in windows(path, window, overlap):
        for hit in (*_plain_hits(data, plain, words), *_base64_hits(data, encoded)):
            if hit.offset < window:
                hits.add(hit._replace(offset=start + hit.offset))
    return hits


def is_expected(hit: Hit) -> bool:
    """Whether the scanner must report it (rather than: we look, to learn)."""
    return hit.secret not in EXTRA_SECRETS and hit.encoding.split("-")[0] not in EXTRA_ENCODINGS
