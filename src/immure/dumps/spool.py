"""A stream made readable at random: an encrypted, unlinked, progressive temporary file.

A thread takes pieces from an iterator (a decompressor, a pipe) and stores them in blocks of 64 KiB. Readers
get bytes as soon as they are there. Blocks of zeros are not stored, so that they cost nothing, however many
a hostile stream has. The first blocks stay in memory; the others go to a file that has no name any more,
encrypted with AES-256-CTR under a random key that is never written anywhere: nothing of the image's plain
bytes ever reaches a disk.

Where storing costs more than decompressing once more, and the reader says that it passes over the stream
once (:meth:`SpoolReader.once`), only the blocks around its place are kept, in memory. Whoever needs others
all the same has the stream opened anew.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator

from immure.dumps.dump import Missing, Reader
from immure.dumps.limits import Limits
from immure.dumps.spool_file import BLOCK, SpoolFile
from immure.errors import ImageError, ImmureError, LimitError

_ZEROS = bytes(BLOCK)
_STEP = 4 << 20  # bytes that extents() waits for at a time
_AHEAD = 8 << 20  # bytes that a stream is ahead of who passes over it once
_PASSED = 0xFFFF_FFFF  # in the index: a block that was not stored


class SpoolReader(Reader):
    """The bytes of a stream, stored while it is read.

    ``size`` is None until the stream's end; a stream that breaks off ends there, and :meth:`faults` says why.

    Args:
        pieces: the stream; taken by a thread of its own, and closed there.
        path: for messages.
        limits: sizes in memory and on disk.
        release: called once when ``pieces`` (and ``again``) is not needed any more.
        again: opens the same stream anew, if that costs less than storing it.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        path: str,
        limits: Limits,
        release: Callable[[], None] = lambda: None,
        again: Callable[[], SpoolReader] | None = None,
    ) -> None:
        self.path = path
        self.size: int | None = None
        self._limits = limits
        self._release = release
        self._again = again
        self._changed = threading.Condition()
        self._ready = 0
        self._wanted: list[int] = []  # for each who waits, up to where
        self._closed = False
        self._fault: str | None = None
        self._index = array("I")  # by block: 0 for zeros, _PASSED, else 1 + slot
        self._blocks = self._slots = 0  # blocks that are not zeros, and those of them that are stored
        self._memory: list[bytes] = []
        self._memory_slots = limits.spool_memory_bytes // BLOCK
        self._file: SpoolFile | None = None
        self._passing = 0  # bytes kept behind the foremost reader; 0 if all are stored
        self._near = False  # whether to wait for the foremost reader
        self._foremost = 0
        self._recent: dict[int, memoryview] = {}
        self._second: SpoolReader | None = None
        threading.Thread(target=self._pump, args=(pieces,), name=f"spool {path}", daemon=True).start()

    @property
    def stored_bytes(self) -> int:
        """How many bytes came so far, blocks of zeros not counted."""
        return self._blocks * BLOCK

    # --- reading ---

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`. Waits until the bytes are there or the stream has ended."""
        wanted = max(0, min(len(view), self._wait_for(offset + len(view)) - offset))
        done = 0
        while done < wanted:
            got = self._copy(offset + done, view[done:wanted])
            if not got:
                break
            done += got
        if self._near:
            with self._changed:
                self._foremost = max(self._foremost, offset + wanted)
                self._changed.notify_all()
        return done

    def _copy(self, position: int, view: memoryview) -> int:
        """Bytes from one place where they are kept; how many."""
        entry, inside = self._index[position // BLOCK], position % BLOCK
        length = min(BLOCK - inside, len(view))
        if entry == 0:
            view[:length] = _ZEROS[:length]
        elif entry == _PASSED:
            block = self._recent.get(position // BLOCK)
            if block is None:
                return self._opened_again().read_into(position, view[:length])
            length = min(len(block) - inside, len(view))
            view[:length] = block[inside : inside + length]
        elif entry <= self._memory_slots:
            view[:length] = memoryview(self._memory[entry - 1])[inside : inside + length]
        else:
            length = self._run(position, len(view))
            self._read_file((entry - 1) * BLOCK + inside, view[:length], position)
        return length

    def _run(self, position: int, wanted: int) -> int:
        """How many of the ``wanted`` bytes stand behind one another in the file."""
        block = position // BLOCK
        length = BLOCK - position % BLOCK
        slot = self._index[block]
        while length < wanted and self._index[block + 1] == slot + 1:
            block, slot, length = block + 1, slot + 1, length + BLOCK
        return min(length, wanted)

    def _read_file(self, place: int, view: memoryview, offset: int) -> None:
        file = self._file
        if file is None:
            raise ImageError("read after close", path=self.path, offset=offset)
        file.read_into(place, view)

    def _opened_again(self) -> SpoolReader:
        """The same stream, from its beginning, stored this time."""
        with self._changed:
            if self._closed or self._again is None:
                raise ImageError("read after close", path=self.path)
            if self._second is None:
                self._second = self._again()
                self._second._near = True  # not more than is needed
            return self._second

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Ranges of blocks that are not all zeros. Waits for the stream as it goes."""
        position = start
        while position < stop:
            upto = min(stop, position + _STEP)
            ready = min(upto, self._wait_for(upto))
            yield from self._stored(position, ready)
            if ready < upto:
                return
            position = upto

    def _stored(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        begun: int | None = None
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            if self._index[block] and begun is None:
                begun = max(start, block * BLOCK)
            elif not self._index[block] and begun is not None:
                yield begun, block * BLOCK
                begun = None
        if begun is not None:
            yield begun, stop

    def wait(self) -> None:
        """Return when the stream has ended."""
        self._wait_for(1 << 64)

    def once(self, span: int) -> None:
        """See :meth:`Reader.once`. Does nothing where the stream cannot be opened anew cheaply."""
        if self._again is not None:
            with self._changed:
                self._passing, self._near = span, True

    def faults(self) -> tuple[Missing, ...]:
        """Why the stream broke off, if it did; how much is missing behind that place is not known."""
        return (Missing(0, self._fault, self.size),) if self._fault else ()

    def _wait_for(self, upto: int) -> int:
        """Wait for the bytes below ``upto``; how many bytes there are by then."""
        if self._closed:
            raise ImageError("read after close", path=self.path)
        if self._ready < upto and self.size is None:
            with self._changed:
                self._wanted.append(upto)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._ready >= upto or self.size is not None)
                self._wanted.remove(upto)
        return self._ready

    def close(self) -> None:
        """Forget the bytes and the key. The thread ends with its next piece."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            if self.size is not None:
                self._dispose()

    def _dispose(self) -> None:
        self._memory, self._recent = [], {}
        file, self._file = self._file, None
        if file is not None:
            file.close()
        if self._second is not None:
            self._second.close()
        if self._again is not None:
            self._release()

    # --- writing: all below runs in the spool's own thread ---

    def _pump(self, pieces: Iterator[bytes]) -> None:
        try:
            self._take(pieces)
        except ImmureError as error:
            where = f" (at {error.offset:#x} of the compressed file)" if error.offset is not None else ""
            self._fault = error.reason + where
        except OSError as error:
            self._fault = f"the spool file cannot be written: {error.strerror or error}"
        except Exception as error:  # noqa: BLE001 - a foreign decoder may raise anything; readers must not hang
            self._fault = f"the stream cannot be decoded: {type(error).__name__}: {error}"
        finally:
            with self._changed:
                self.size = self._ready
                if self._closed:
                    self._dispose()
                self._changed.notify_all()
            if self._again is None:
                self._release()

    def _take(self, pieces: Iterator[bytes]) -> None:
        tail = b""
        try:
            for piece in pieces:
                if self._closed:
                    return
                data, tail = (tail + piece if tail else piece), b""
                whole = len(data) - len(data) % BLOCK
                self._store(data, whole, whole)
                tail = data[whole:]
        finally:
            if tail:
                self._store(tail + _ZEROS[len(tail) :], BLOCK, len(tail))

    def _store(self, data: bytes, length: int, visible: int) -> None:
        """Store ``length`` bytes, whole blocks; the first ``visible`` of them belong to the stream."""
        start = 0
        if self._near:
            self._stay_near()
        try:
            while start < length:
                zero = data.startswith(_ZEROS, start)
                stop = start + BLOCK
                while stop < length and data.startswith(_ZEROS, stop) == zero:
                    stop += BLOCK
                room = self._limits.max_apparent_bytes - self._ready
                if room < min(stop, visible):
                    raise LimitError(
                        f"more than {self._limits.max_apparent_bytes} bytes come out of the stream"
                    )
                if zero:
                    self._index.frombytes(bytes(self._index.itemsize * ((stop - start) // BLOCK)))
                else:
                    self._keep(data, start, stop)
                start = stop
        finally:
            self._publish(min(start, visible))

    def _publish(self, count: int) -> None:
        with self._changed:
            self._ready += count
            if any(upto <= self._ready for upto in self._wanted):
                self._changed.notify_all()

    def _stay_near(self) -> None:
        """Wait for the foremost reader, unless somebody waits for more."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._ready - self._foremost < _AHEAD
                    or any(upto > self._ready for upto in self._wanted)
                )
            )

    def _keep(self, data: bytes, start: int, stop: int) -> None:
        if (self._blocks + (stop - start) // BLOCK) * BLOCK > self._limits.max_stored_bytes:
            raise LimitError(
                f"more than {self._limits.max_stored_bytes} non-zero bytes come out of the stream"
            )
        self._blocks += (stop - start) // BLOCK
        while start < stop and self._slots < self._memory_slots:
            self._memory.append(data[start : start + BLOCK])
            self._claim(1)
            start += BLOCK
        if start < stop and self._passing:
            self._pass(memoryview(data)[start:stop])
        elif start < stop:
            if self._file is None:
                self._file = SpoolFile(self._limits)
            self._file.write(self._slots, memoryview(data)[start:stop])
            self._claim((stop - start) // BLOCK)

    def _pass(self, data: memoryview) -> None:
        """Keep blocks for a while only."""
        recent = self._recent
        for start in range(0, len(data), BLOCK):
            recent[len(self._index)] = data[start:]  # with what came with it
            self._index.append(_PASSED)
        while len(recent) * BLOCK > self._passing + _AHEAD:
            del recent[next(iter(recent))]

    def _claim(self, blocks: int) -> None:
        self._index.extend(range(self._slots + 1, self._slots + 1 + blocks))
        self._slots += blocks
