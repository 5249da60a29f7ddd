"""A key that another worker proved is proved here again, from the bytes of the image.

To sweep for a key one has to know the private key. It is not sent: a :class:`~immure.fleet.tasks.Pointer`
says where in the image it was proved, and these few megabytes are searched once more, for this key only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from immure.dumps.dump import Image
from immure.fleet.tasks import Place, Pointer, Tally
from immure.keymaterial.key import Numbers
from immure.scanning.image_scan import ImageScan
from immure.scanning.keyset import KeySet
from immure.scanning.options import NoProgress, ScanOptions
from immure.scanning.part import Part
from immure.scanning.proofs import Proof

#: Proofs that a worker remembers, so that it does not prove the same key anew for each range.
MOST_REMEMBERED: Final = 256


class Remembered:
    """The last proofs of this process, by image and key; for all threads."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._proofs: OrderedDict[tuple[Place, Numbers], Proof] = OrderedDict()
        self._lock = threading.Lock()

    def proof(
        self, place: Place, image: Image, pointer: Pointer, options: ScanOptions, tally: Tally
    ) -> Proof | None:
        """As :func:`prove_again`, or from memory."""
        name = (place, pointer.key.numbers)
        with self._lock:
            found = self._proofs.get(name)
        if found is None:
            found = prove_again(image, pointer, options, tally)
        if found is not None:
            with self._lock:
                self._proofs[name] = found
                self._proofs.move_to_end(name)
                while len(self._proofs) > self._most:
                    self._proofs.popitem(last=False)
        return found


def prove_again(image: Image, pointer: Pointer, options: ScanOptions, tally: Tally) -> Proof | None:
    """The proof of the pointer's key, or None if its bytes do not prove it any more."""
    alone = replace(options, harvest=False, deep=False, sketches=(), token=None, threads=1)
    for start, stop in _nearer_and_wider(image, pointer, alone):
        part = tally.part(start, stop)
        named = [] if pointer.key.kty == "oct" else [pointer.key]  # AES keys are found by their schedules
        scan = ImageScan(image, KeySet(named), alone, NoProgress(), part=part)
        scan.run()
        for proof in scan.proofs:
            if proof.public == pointer.key.numbers:
                return proof
    return None


def _nearer_and_wider(image: Image, pointer: Pointer, options: ScanOptions) -> Iterator[tuple[int, int]]:
    """The chunk that holds the proof; with the one before it, where a text may have begun; all that the
    worker had that proved it."""
    everything = Part(pointer.start, pointer.stop)
    chunks = list(ImageScan(image, KeySet(), options, NoProgress(), part=everything).chunks())
    for index, chunk in enumerate(chunks):
        if chunk.start <= pointer.offset < chunk.stop:
            yield chunk.start, chunk.start + 1
            if index:
                yield chunks[index - 1].start, chunk.start + 1
            break
    yield pointer.start, pointer.stop
