"""A thread's piece of an image in native memory, and the runs of words in it that may belong to numbers.

A :class:`Workspace` belongs to one thread. It owns the chunk's bytes and the runs found in them. The searches
of the modules beside this one take it and return plain lists of offsets into its buffer. All of them release
the GIL while they work, and each has a slow twin of the same name in ``reference``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from immure.errors import LimitError
from immure.scanning.kernels._words import ffi, lib
from immure.scanning.kernels.mapping import Mapping

#: Bits below which (or above 2^64 minus which) a word is dull.
DULL_BITS: Final = 48
#: Shortest runs that are kept, in words: a 32-byte secret at any alignment has three whole words.
STRICT_WORDS: Final = 3
#: A 512-bit prime at any alignment has seven whole words, of which two may be dull at the ends.
LOOSE_WORDS: Final = 5
#: Bytes of noise (64 KiB or more of random-looking pages) that are searched at both of its ends.
NOISE_MARGIN: Final = 2048
NEVER_LONG: Final = (1 << 63) - 1

#: Of memory that is not zeroed, only as much is taken from the system as is written.
_new: Final = ffi.new_allocator(should_clear_after_alloc=False)


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows of the runs a search visits.

    Attributes:
        step: bytes between starts.
        long_bytes: runs at least this long are visited only near their ends; :data:`NEVER_LONG` for none, 0
            for all.
        edge: how near, in bytes.
    """

    step: int = 8
    long_bytes: int = NEVER_LONG
    edge: int = 0


class Runs:
    """Runs of words as (start, end) byte offsets, in native memory."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.data = _new("int64_t[]", 2 * capacity)
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def pairs(self) -> list[tuple[int, int]]:
        """The runs as Python numbers."""
        flat = ffi.unpack(self.data, 2 * self.count) if self.count else []
        return list(zip(flat[::2], flat[1::2], strict=True))

    def flat(self) -> array[int]:
        """The runs as one array: start, end, start, end …"""
        result = array("q")
        result.frombytes(ffi.buffer(self.data, 16 * self.count))
        return result

    def set(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Replace the runs (for buffers whose runs are known otherwise)."""
        if len(pairs) > self.capacity:
            self.__init__(len(pairs))  # type: ignore[misc]
        flat = array("q", chain.from_iterable(pairs))
        ffi.memmove(self.data, flat, 8 * len(flat))
        self.count = len(pairs)


class Workspace:
    """One thread's buffer of ``capacity`` bytes, with the runs of the chunk that is in it.

    With a mapping, a chunk may be looked at where it stands in the mapped file instead: ``view`` and
    ``pointer`` are then those of the file, and cannot be written to.
    """

    def __init__(self, capacity: int, mapping: Mapping | None = None) -> None:
        self.capacity = (capacity + 7) // 8 * 8
        self.buffer = bytearray(self.capacity)
        self._mapping = mapping
        self._shown: tuple[int, int] | None = None
        self._own()
        self.length = 0
        words = self.capacity // 8
        self._mask = _new("uint64_t[]", words // 64 + 1)
        self._loose_mask = _new("uint64_t[]", words // 64 + 1)
        pages = self.capacity // (16 * 4096) + 2
        self.strict = Runs(words // (STRICT_WORDS + 1) + 2)
        self.loose = Runs(words // (LOOSE_WORDS + 1) + 2)
        self.quiet_strict = Runs(self.strict.capacity + pages)
        self.quiet_loose = Runs(self.loose.capacity + pages)
        self._random_ends = Runs(self.quiet_loose.capacity)
        self._binary_ends = Runs(self.quiet_strict.capacity)
        self._selected: dict[tuple[str | int, ...], Runs] = {}
        self._found_ends: set[tuple[str | int, ...]] = set()
        self._out = _new("int64_t[]", 3 * max(4096, self.capacity // 40 + 16))
        self._out_entries = len(self._out)
        self._alive = -1
        self._masked = self._alive_masked = 0
        self.has_noise = False
        self.visited = 0
        self.survived = 0

    def _own(self) -> None:
        self.view = memoryview(self.buffer)
        self.pointer = ffi.from_buffer("uint8_t[]", self.buffer)

    def show(self, start: int, stop: int) -> bool:
        """Look at the bytes [start, stop) of the mapped file; False if there is none, or it cannot be done:
        then the buffer is there to be filled."""
        self._leave()
        if self._mapping is None or (stop - start) % 8 or stop - start > self.capacity:
            return False
        piece = self._mapping.piece(start, stop)
        if piece is None:
            return False
        self.view, self.pointer = piece
        self._shown = (start, stop)
        self.length = stop - start
        self._alive = -1
        self.look_at(0)
        if kept := self._mapping.kept(self._shown):
            mask, self._alive = kept
            ffi.memmove(self._mask, mask, len(mask))
        return True

    def _leave(self) -> None:
        """Back to the buffer."""
        if self._shown is not None and self._mapping is not None:
            self._own()
            self._mapping.drop(*self._shown)
            self._shown = None

    def set_length(self, length: int) -> None:
        """Declare that ``length`` bytes of the buffer are filled; the rest of the last word is zeroed."""
        if length > self.capacity:
            raise LimitError(f"chunk of {length} bytes in a workspace of {self.capacity}")
        padded = (length + 7) // 8 * 8
        self.view[length:padded] = bytes(padded - length)
        self.length = padded
        self._alive = -1

    def look_at(self, filled: int) -> None:
        """Work on the mask while the buffer is being filled (``filled`` bytes so far; 0 begins anew), and
        what came last is still in the processor's cache."""
        if filled == 0:
            self._masked = self._alive_masked = 0
        self._mask_up_to(filled // 512 * 64)

    def _mask_up_to(self, words: int) -> None:
        done = self._masked
        self._alive_masked += lib.words_mask(
            self.pointer + 8 * done, words - done, DULL_BITS, self._mask + done // 64
        )
        self._masked = words

    def mask(self) -> Any:
        """One bit for each word that is not dull, in native memory."""
        if self._alive < 0:
            self._mask_up_to(self.length // 8)
            self._alive, self._masked, self._alive_masked = self._alive_masked, 0, 0
            if self._shown is not None and self._mapping is not None:
                mask = ffi.buffer(self._mask, (self.length // 8 + 63) // 64 * 8)[:]
                self._mapping.keep(self._shown, mask, self._alive)
        return self._mask

    def find_runs(self, *, strict: bool = True) -> int:
        """Fill ``strict`` (unless nobody needs them) and ``loose`` for the filled part of the buffer; the
        number of words that are not dull."""
        words = self.length // 8
        self._found_ends.clear()
        self.mask()
        alive = self._alive
        self.strict.count = self.loose.count = 0
        if alive:
            resume = ffi.new("size_t *", 0)
            if strict:
                self.strict.count = lib.words_runs(
                    self._mask, words, STRICT_WORDS, self.strict.data, self.strict.capacity, resume
                )
            # the number may begin or end within a word that is dull for the rest of it
            lib.words_pad(self.strict.data, self.strict.count, self.length, 8)
            lib.words_loosen(self._mask, words, self._loose_mask)
            resume[0] = 0
            self.loose.count = lib.words_runs(
                self._loose_mask, words, LOOSE_WORDS, self.loose.data, self.loose.capacity, resume
            )
            lib.words_pad(self.loose.data, self.loose.count, self.length, 8)
        return alive

    def find_quiet_runs(self, page_phase: int) -> None:
        """Fill ``quiet_strict`` and ``quiet_loose``: the runs without noise (see :data:`NOISE_MARGIN`).

        ``page_phase`` is the image offset of the buffer's first byte: pages are counted from the beginning of
        the image.
        """
        self.has_noise = False
        for runs, quiet in ((self.strict, self.quiet_strict), (self.loose, self.quiet_loose)):
            quiet.count = lib.words_quiet(
                self.pointer,
                page_phase % 4096,
                runs.data,
                runs.count,
                NOISE_MARGIN,
                quiet.data,
                quiet.capacity,
            )
            self.has_noise |= quiet.count != runs.count

    def random_ends(self, min_bytes: int, max_bytes: int) -> Runs:
        """Of ``quiet_loose``, the runs of ``min_bytes`` to ``max_bytes`` of which one end or the other looks
        random; without the word that was added at their beginning."""
        every, quiet = self._random_ends, self.quiet_loose
        if ("random",) not in self._found_ends:
            self._found_ends.add(("random",))
            least = 8 * (LOOSE_WORDS + 2)
            every.count = lib.words_random_ends(self.pointer, quiet.data, quiet.count, least, every.data)
        return self._between("random", every, min_bytes, max_bytes)

    def of_length(self, min_bytes: int, max_bytes: int) -> Runs:
        """Of ``quiet_loose``, the runs of ``min_bytes`` to ``max_bytes``; without the word that was added at
        their beginning."""
        return self._between("quiet", self.quiet_loose, min_bytes, max_bytes)

    def _between(
        self, name: str, runs: Runs, min_bytes: int, max_bytes: int, whole: int = NEVER_LONG, head: int = 0
    ) -> Runs:
        key = (name, min_bytes, max_bytes, whole, head)
        chosen = self._selected.get(key)
        if chosen is None or chosen.capacity < runs.count:
            chosen = self._selected[key] = Runs(min(runs.capacity, 2 * runs.count + 64))
            self._found_ends.discard(key)
        if key not in self._found_ends:
            self._found_ends.add(key)
            chosen.count = lib.words_between(
                runs.data, runs.count, min_bytes, max_bytes, whole, head, chosen.data
            )
        return chosen

    def binary_ends(self, max_bytes: int, whole: int = NEVER_LONG, head: int = 0) -> Runs:
        """Of ``quiet_strict``, the runs of 48 to ``max_bytes`` of which one end or the other is not text;
        without the word that was added at their beginning. Of those longer than ``whole``, ``head`` bytes."""
        every, quiet = self._binary_ends, self.quiet_strict
        if ("binary", max_bytes) not in self._found_ends:
            self._found_ends = {old for old in self._found_ends if old[0] not in ("binary", "cut")}
            self._found_ends.add(("binary", max_bytes))
            every.count = lib.words_binary_ends(self.pointer, quiet.data, quiet.count, max_bytes, every.data)
        return self._between("cut", every, 48, max_bytes, whole, head)

    def wipe(self) -> None:
        """Zero the buffer: it may have held keys."""
        self._leave()
        self.view[:] = bytes(self.capacity)
        self.length = 0

    def collect(self, arity: int, call: Callable[[Any, int], int], done: Callable[[], bool]) -> list[int]:
        """Run a resumable kernel to its end; its entries, flat."""
        capacity = self._out_entries // arity
        flat: list[int] = []
        while True:
            written = call(self._out, capacity)
            if written:
                flat.extend(ffi.unpack(self._out, arity * written))
            if done():
                return flat
            if not written:
                raise LimitError("a kernel's output has no room for a single entry")


def count_windows(runs: Runs, width: int, windows: Windows) -> tuple[int, int]:
    """Windows of ``width`` bytes at ``windows.step`` in the runs, and how many of them ``windows`` visits."""
    counts = ffi.new("uint64_t[2]", [0, 0])
    lib.words_count(runs.data, runs.count, width, windows.step, windows.long_bytes, windows.edge, counts)
    return counts[0], counts[1]
