"""AES keys by their key schedules, which prove themselves: nothing needs to be known of the key.

What is found may be the key of a session, of a file, or of nothing: most programs keep the state of a random
number generator as such a schedule, and the keys of their self-tests. Those are told apart, and noted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from immure.dumps.dump import Image
from immure.keymaterial.aes import LAYOUTS, Layout, recover
from immure.keymaterial.aes_published import DRBG, drbg_states, published_aes
from immure.keymaterial.encodings import encodings
from immure.keymaterial.key import Numbers, Origin, b64url
from immure.keymaterial.sketch_key import OctKey, OctNumbers
from immure.scanning.chunks import Chunk
from immure.scanning.finding import NotSearched, Occurrence
from immure.scanning.kernels.aes import MOST_TRIED, find_schedules
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.occurrences import occurrence
from immure.scanning.options import Mode
from immure.scanning.proofs import Proof
from immure.secret import Secret

#: As which detector reports name it.
DETECTOR: Final = "aes"
#: Different keys of an image that are noted: a server has one for each connection.
MOST_KEYS: Final = 4096
#: A fingerprint costs some milliseconds (scrypt, RFC 7914): a key may have been a password.
_SALT: Final = b"immure aes key"
_COST: Final = {"n": 1 << 11, "r": 8, "p": 1, "dklen": 32}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule in an image: where, how it is written, how many of its bits are flipped, and its key."""

    offset: int
    layout: Layout
    flipped: int
    key: Secret[bytes]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one chunk shows, and the offset from which on nothing was tried."""

    schedules: list[Schedule]
    stopped: int | None


@dataclass(frozen=True, slots=True)
class ScheduleProof(Proof):
    """A key whose schedule was found; swept for like the numbers of any proved key."""

    def needles(self) -> list[tuple[str, str, bytes]]:
        """See :meth:`Proof.needles`."""
        key = self.scalar.reveal() if self.scalar is not None else b""
        seen: set[bytes] = set()
        found = []
        for encoding, data in (*_schedules(key), *drbg_states(key), *encodings("secret", key, None)):
            if data not in seen:
                seen.add(data)
                found.append(("secret", encoding, data))
        return found


def _schedules(key: bytes) -> Iterator[tuple[str, bytes]]:
    """The schedules of a key, whole."""
    for layout in LAYOUTS:
        if layout.key_bytes != len(key):
            continue
        pattern = layout.write(key)
        yield layout.name, layout.last_round(key) * (layout.order == "decryption") + pattern


def aes_key(key: bytes) -> OctKey:
    """The key as reports name it: by its size and a digest."""
    fingerprint = b64url(hashlib.scrypt(key, salt=_SALT, **_COST))
    origin = Origin("image", alg=f"A{8 * len(key)}")
    return OctKey(cast(Numbers, OctNumbers(fingerprint)), origin, f"AES-{8 * len(key)} key", len(key))


@dataclass
class ScheduleHunt:
    """The search of one image for schedules; :meth:`examine` by any thread, the rest by one."""

    mode: Mode
    not_searched: list[NotSearched] = field(default_factory=list)
    _harmless: dict[str, list[int]] = field(default_factory=dict)
    _keys: dict[bytes, OctKey] = field(default_factory=dict, repr=False)
    _places: dict[Numbers, list[Schedule]] = field(default_factory=dict, repr=False)

    def examine(self, space: Workspace, chunk: Chunk) -> Seen:
        """The schedules that begin in the chunk's core; the chunk is in the workspace."""
        if not space.find_runs(strict=False):
            return Seen([], None)
        hits, stopped = find_schedules(space, space.loose, step=1 if self.mode == "exhaustive" else 4)
        memory, found = space.view, []
        for at, layout, _ in hits:
            offset = chunk.read_start + at
            if not chunk.start <= offset < chunk.stop or offset + layout.length > chunk.read_stop:
                continue
            recovered = recover(layout, bytes(memory[at : at + layout.length]))
            if recovered is not None:
                found.append(Schedule(offset, layout, recovered.flipped, recovered.key))
        return Seen(found, None if stopped is None else chunk.read_start + stopped)

    def settle(self, seen: Seen, chunk: Chunk) -> list[tuple[OctKey, Proof]]:
        """The keys that were not known before, and why they are ones; in the order of the chunks."""
        if seen.stopped is not None and seen.stopped < chunk.stop:
            reason = f"more than {MOST_TRIED} places in one chunk look like AES key schedules"
            self._leave(max(chunk.start, seen.stopped), chunk.stop, reason)
        fresh = []
        for schedule in seen.schedules:
            key = self._keys.get(schedule.key.reveal())
            if key is None:
                if len(self._keys) >= MOST_KEYS:
                    reason = f"the image holds more than {MOST_KEYS} AES keys"
                    self._leave(schedule.offset, chunk.stop, reason)
                    break
                key = self._keys[schedule.key.reveal()] = aes_key(schedule.key.reveal())
                fresh.append((key, self._proof(key, schedule)))
            self._places.setdefault(key.numbers, []).append(schedule)
        return fresh

    def _leave(self, start: int, stop: int, reason: str) -> None:
        self.not_searched.append(NotSearched(start, stop - start, DETECTOR, reason))

    def _proof(self, key: OctKey, schedule: Schedule) -> Proof:
        layout = schedule.layout
        words = f"{layout.length} bytes are the {layout.order} key schedule of an {key.kind}"
        if schedule.flipped:
            words += f", but for {schedule.flipped} flipped bit" + "s" * (schedule.flipped > 1)
        return ScheduleProof(key.numbers, words, schedule.offset, None, schedule.key, secret="schedule")

    def occurrences(self, image: Image, numbers: Numbers) -> list[Occurrence]:
        """Where a key's schedules stand; the sweep finds other copies, but none with flipped bits."""
        return [
            occurrence(image, one.offset, one.layout.length, "secret", one.layout.name)
            for one in self._places.get(numbers, [])
        ]

    def is_harmless(self, proof: Proof, found: Sequence[Occurrence]) -> bool:
        """Whether an AES key is nobody's: a test vector, or the state of a generator. Remembers it, if so."""
        if not isinstance(proof, ScheduleProof) or proof.scalar is None:
            return False
        what = published_aes(proof.scalar.reveal())
        if what is None and any(one.encoding == DRBG and one.whole for one in found):
            what = "state of a random number generator (CTR_DRBG of OpenSSL)"
        if what is not None:
            self._harmless.setdefault(what, []).append(proof.offset)
        return what is not None

    @property
    def notes(self) -> list[str]:
        """What there is to say of what is no finding, one note of each kind."""
        return [_note(what, sorted(offsets)) for what, offsets in self._harmless.items()]


def _note(what: str, offsets: Sequence[int]) -> str:
    if len(offsets) == 1:
        return f"an AES key whose schedule is at offset {offsets[0]} is not reported: {what}"
    many = f"{len(offsets):,} AES keys, the first with a schedule at offset {offsets[0]}, are not reported"
    return f"{many}: {what}"
