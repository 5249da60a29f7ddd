"""The search for shielded keys of OpenSSH (:mod:`immure.keymaterial.shielded`) in images that know addresses.

A key's record in memory has four words in a row: where the shielded bytes are, how many, where the prekey is,
and its length, which is a constant. These lead to both parts, wherever they are. Only OpenSSH's own programs
shield keys: quick mode reads no image for it that says it is of another."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from immure.dumps.dump import Image, Region
from immure.errors import KeyFormatError
from immure.keymaterial.private import PrivateKey
from immure.keymaterial.shielded import LENGTHS, PREKEY_BYTES, unshield
from immure.keymaterial.structures import PrivateHit
from immure.scanning.options import Mode

#: As what reports name the encoding.
ENCODING: Final = "openssh-shielded"
_STEP: Final = 4 << 20
_WORDS: Final = struct.Struct("<4Q")
_CONSTANT: Final = struct.pack("<Q", PREKEY_BYTES)
#: Pairs that are tried: a hostile image may be full of words that look like them.
_MOST_TRIED: Final = 10_000


class ShieldedKey(NamedTuple):
    """A key, and where its shielded bytes and its prekey are in the image (offsets)."""

    private: PrivateKey
    offset: int
    length: int
    prekey_offset: int


def find_shielded(image: Image) -> Iterator[ShieldedKey]:
    """The shielded keys of an image of a 64-bit little-endian process, each once."""
    if image.word_size != 8 or image.byte_order != "little":
        return
    space = _Addresses(image)
    seen: set[tuple[int, int]] = set()
    for region in space.regions:
        for shielded, length, prekey in _records(image, region):
            places = space.offset_of(shielded, length), space.offset_of(prekey, PREKEY_BYTES)
            if places[0] is None or places[1] is None or (shielded, prekey) in seen:
                continue
            if len(seen) >= _MOST_TRIED:
                return
            seen.add((shielded, prekey))
            try:
                data = image.reader.read(places[0], length)
                private = unshield(image.reader.read(places[1], PREKEY_BYTES), data)
            except KeyFormatError:
                continue
            yield ShieldedKey(private, places[0], length, places[1])


def shielded_hits(image: Image, mode: Mode) -> Iterator[PrivateHit]:
    """The same as hits of a survey, if the image is one to look at."""
    if mode == "exhaustive" or _may_shield(image):
        for found in find_shielded(image):
            yield PrivateHit(found.private, found.offset, found.length, ENCODING)


def _may_shield(image: Image) -> bool:
    """Whether the image knows of a program of OpenSSH, or does not know of which program it is."""
    name = image.process.name if image.process is not None else None
    return not name or "ssh" in name or any("ssh" in region.name for region in image.regions)


def _records(image: Image, region: Region) -> Iterator[tuple[int, int, int]]:
    """What stands before each word that is the length of a prekey: address, length, address."""
    start = region.offset
    while start < region.end:
        data = image.reader.read(start, min(_STEP, region.end - start))
        at = data.find(_CONSTANT)
        while at >= 0:
            first = at - 24
            if first >= 0 and (start + first - region.offset + (region.address or 0)) % 8 == 0:
                shielded, length, prekey, _ = _WORDS.unpack_from(data, first)
                if length in LENGTHS and shielded and prekey:
                    yield shielded, length, prekey
            at = data.find(_CONSTANT, at + 1)
        if len(data) < _STEP:
            return
        start += _STEP - 32


class _Addresses:
    """From addresses to offsets."""

    def __init__(self, image: Image) -> None:
        known = (region for region in image.regions if region.address is not None and region.kind == "memory")
        self.regions = sorted(known, key=lambda region: region.address or 0)
        self._starts = [region.address or 0 for region in self.regions]

    def offset_of(self, address: int, length: int) -> int | None:
        """Where these bytes are, if all of them are in one region."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        region = self.regions[index]
        inside = address - self._starts[index]
        return region.offset + inside if inside + length <= region.length else None
