"""Keys inside base64 and hex: runs of such characters are decoded at every phase, and searched for
structures.

>>> import base64
>>> from immure.keymaterial.private import ec_from_scalar
>>> from immure.keymaterial.serialize import to_pkcs8
>>> text = b"x" + base64.b64encode(to_pkcs8(ec_from_scalar("P-256", 2**200 + 1)))
>>> hit = next(structures_in_text(text, 0, len(text), TextKind.BASE64))
>>> hit.encoding, hit.offset, hit.length
('base64:pkcs8-der', 1, 184)

The kinds of runs are those of the native search for text runs, by number.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from immure.keymaterial.structures import ANCHORS, Anchor, Buffer, Hit, parse_at

#: Characters of text that a structure may take up.
MAX_TEXT = 1 << 16


class TextKind(IntEnum):
    """Alphabet and character width of a run. Base64 means either alphabet (RFC 4648, sections 4 and 5)."""

    BASE64 = 1
    HEX = 2
    BASE64_UTF16LE = 3
    HEX_UTF16LE = 4


_WIDE = (TextKind.BASE64_UTF16LE, TextKind.HEX_UTF16LE)
_HEXES = (TextKind.HEX, TextKind.HEX_UTF16LE)
_NAMES = {
    TextKind.BASE64: "base64",
    TextKind.HEX: "hex",
    TextKind.BASE64_UTF16LE: "base64-utf16le",
    TextKind.HEX_UTF16LE: "hex-utf16le",
}


def text_name(kind: int) -> str:
    """What a kind of run is called in reports."""
    return _NAMES[TextKind(kind)]


_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_BREAK = rb"(?:\r?\n|(?:\\++r)?\\++n)[ \t]*+"
_LINES = {
    False: re.compile(rb"(?:[A-Za-z0-9+/_-]++" + _BREAK + rb")*+[A-Za-z0-9+/_-]*+"),
    True: re.compile(rb"(?:[0-9A-Fa-f]++" + _BREAK + rb")*+[0-9A-Fa-f]*+"),
}
_ALPHABETS = {False: re.compile(rb"[A-Za-z0-9+/_-]*+"), True: re.compile(rb"[0-9A-Fa-f]*+")}
_BREAKS = re.compile(_BREAK)


def _alternation(needles: list[bytes]) -> bytes:
    """A pattern for any of the needles, one branch for each first byte: quicker than one for each needle."""
    firsts: dict[bytes, list[bytes]] = {}
    for needle in needles:
        firsts.setdefault(needle[:1], []).append(re.escape(needle[1:]))
    return b"|".join(re.escape(first) + b"(?:" + b"|".join(rests) + b")" for first, rests in firsts.items())


_ANY_ANCHOR = re.compile(_alternation([anchor.needle for anchor in ANCHORS]))


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoding of a run.

    Attributes:
        data: the decoded bytes.
        phase: characters that were skipped at the start.
    """

    data: bytes
    phase: int
    _start: int
    _kind: TextKind
    _breaks: tuple[tuple[int, int], ...] = ()

    def span(self, offset: int, length: int) -> tuple[int, int]:
        """Where the text of ``data[offset : offset + length]`` stands: byte offset in the buffer, bytes."""
        if self._kind in _HEXES:
            first, last = 2 * offset, 2 * (offset + length) - 1
        else:
            first, last = offset * 4 // 3, (4 * (offset + length) - 1) // 3
        start = self._place(self.phase + first)
        return start, self._place(self.phase + last) + (2 if self._kind in _WIDE else 1) - start

    def _place(self, index: int) -> int:
        """Offset in the buffer of a character, counted without line breaks."""
        if self._breaks:
            at = bisect_right(self._breaks, (index, 1 << 62)) - 1
            if at >= 0:
                index += self._breaks[at][1]
        return self._start + (2 * index if self._kind in _WIDE else index)


def decode_text_runs(buffer: Buffer, start: int, length: int, kind: int) -> Iterator[Decoded]:
    """The run of ``length`` bytes at ``start``, decoded at each of its phases: four of base64, two of hex.

    A run of base64 may begin anywhere in a group of four characters, one of hex in the middle of a byte.
    Line breaks in the run (LF, CR LF, or written as ``\\n``) are stepped over; the run ends at the first
    other character.
    """
    kind = TextKind(kind)
    text, breaks = _text(buffer, start, length, kind)
    for phase in range(2 if kind in _HEXES else 4):
        yield Decoded(_decode(text, phase, kind), phase, start, kind, breaks)


def structures_in_text(buffer: Buffer, start: int, length: int, kind: int) -> Iterator[Hit]:
    """The keys of which the encoded structure begins in this run of text, as hits with offsets in the text.

    The run may be a line of several: lines that follow are read when something begins in this one.
    Encodings are such as
    ``base64:pkcs8-der`` and ``hex-utf16le:spki-der``. Never raises on foreign bytes.
    """
    kind = TextKind(kind)
    text = bytes(buffer[start : start + min(length, MAX_TEXT * (2 if kind in _WIDE else 1))])
    text = text[::2] if kind in _WIDE else text
    for phase in range(2 if kind in _HEXES else 4):
        data = _decode(text, phase, kind)
        if _ANY_ANCHOR.search(data):
            yield from _hits(buffer, start, phase, kind, len(data))


def _hits(buffer: Buffer, start: int, phase: int, kind: TextKind, first_line: int) -> Iterator[Hit]:
    """The hits whose anchors stand in the first line's ``first_line`` bytes."""
    text, breaks = _text(buffer, start, MAX_TEXT, kind)
    decoded = Decoded(_decode(text, phase, kind), phase, start, kind, breaks)
    for anchor in ANCHORS:
        at = decoded.data.find(anchor.needle, 0, first_line)
        while at >= 0:
            yield from _mapped(decoded, anchor, at)
            at = decoded.data.find(anchor.needle, at + 1, first_line)


def _mapped(decoded: Decoded, anchor: Anchor, at: int) -> Iterator[Hit]:
    for hit in parse_at(decoded.data, anchor, at):
        offset, length = decoded.span(hit.offset, hit.length)
        encoding = f"{_NAMES[decoded._kind]}:{hit.encoding}"
        yield replace(hit, offset=offset, length=length, encoding=encoding)


def _text(
    buffer: Buffer, start: int, length: int, kind: TextKind
) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """The characters of a run without line breaks; for each the index behind it and what is left out."""
    raw = bytes(buffer[start : start + length])
    if kind in _WIDE:
        high = raw[1::2]
        raw = raw[: 2 * (len(high) - len(high.lstrip(b"\0"))) : 2]
    match = _LINES[kind in _HEXES].match(raw)
    text = match[0] if match else b""
    breaks: list[tuple[int, int]] = []
    parts = []
    end = left_out = 0
    for gap in _BREAKS.finditer(text):
        parts.append(text[end : gap.start()])
        end = gap.end()
        left_out += end - gap.start()
        breaks.append((end - left_out, left_out))
    return b"".join([*parts, text[end:]]), tuple(breaks)


def _decode(text: bytes, phase: int, kind: TextKind) -> bytes:
    """The bytes of the characters from ``phase`` on, up to the first that is not of the alphabet."""
    decode = _from_hex if kind in _HEXES else _from_base64
    try:
        return decode(text[phase:])
    except binascii.Error:
        alphabet = _ALPHABETS[kind in _HEXES].match(text, phase)
        return decode(alphabet[0]) if alphabet else b""


def _from_hex(text: bytes) -> bytes:
    return binascii.unhexlify(text[: len(text) & ~1])


def _from_base64(text: bytes) -> bytes:
    missing = -len(text) % 4
    padded = text.translate(_TO_STANDARD) + b"AAA"[:missing]  # not "=": the last bits need not be zero
    data = binascii.a2b_base64(padded, strict_mode=True)
    return data[: len(data) - missing] if missing else data
