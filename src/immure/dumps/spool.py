"""A stream made readable at random: an encrypted, unlinked, progressive temporary file.

A thread takes pieces from an iterator (a decompressor, a pipe) and stores them in blocks of 64 KiB. Readers
get bytes as soon as they are there. Blocks of zeros are not stored, so that they cost nothing, however many
a hostile stream has. The first blocks stay in memory; the others go to a file that has no name any more,
encrypted with AES-256-CTR under a random key that is never written anywhere: nothing of the image's plain
bytes ever reaches a disk.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable, Iterator
from typing import IO, Any

from immure.dumps.dump import Missing, Reader
from immure.dumps.limits import Limits
from immure.errors import ImageError, ImmureError, LimitError

BLOCK = 1 << 16
_ZEROS = bytes(BLOCK)
_STEP = 16 << 20  # bytes that extents() waits for at a time
_DISK_CHECK = 1 << 10  # blocks stored between two looks at the free space


class SpoolReader(Reader):
    """The bytes of a stream, stored while it is read.

    ``size`` is None until the stream's end; a stream that breaks off ends there, and :meth:`faults` says why.

    Args:
        pieces: the stream; taken by a thread of its own, and closed there.
        path: for messages.
        limits: sizes in memory and on disk.
        release: called once when ``pieces`` is not needed any more.
    """

    def __init__(
        self, pieces: Iterator[bytes], path: str, limits: Limits, release: Callable[[], None] = lambda: None
    ) -> None:
        self.path = path
        self.size: int | None = None
        self._limits = limits
        self._release = release
        self._changed = threading.Condition()
        self._ready = 0
        self._closed = False
        self._fault: str | None = None
        self._index = array("I")  # by block: 0 for zeros, else 1 + slot
        self._slots = 0
        self._memory: list[bytes] = []
        self._memory_slots = limits.spool_memory_bytes // BLOCK
        self._vault: _Vault | None = None
        threading.Thread(target=self._pump, args=(pieces,), name=f"spool {path}", daemon=True).start()

    @property
    def stored_bytes(self) -> int:
        """How many bytes are kept so far, blocks of zeros not counted."""
        return self._slots * BLOCK

    # --- reading ---

    def read_into(self, offset: int, view: memoryview) -> int:
        """See :meth:`Reader.read_into`. Waits until the bytes are there or the stream has ended."""
        wanted = max(0, min(len(view), self._wait_for(offset + len(view)) - offset))
        done = 0
        while done < wanted:
            position = offset + done
            entry = self._index[position // BLOCK]
            inside = position % BLOCK
            length = min(BLOCK - inside, wanted - done)
            if entry == 0:
                view[done : done + length] = _ZEROS[:length]
            elif entry <= self._memory_slots:
                view[done : done + length] = memoryview(self._memory[entry - 1])[inside : inside + length]
            else:
                length = self._run(position, wanted - done)
                self._read_vault((entry - 1) * BLOCK + inside, view[done : done + length], position)
            done += length
        return wanted

    def _run(self, position: int, wanted: int) -> int:
        """How many of the ``wanted`` bytes stand behind one another in the vault."""
        block = position // BLOCK
        length = BLOCK - position % BLOCK
        slot = self._index[block]
        while length < wanted and self._index[block + 1] == slot + 1:
            block, slot, length = block + 1, slot + 1, length + BLOCK
        return min(length, wanted)

    def _read_vault(self, place: int, view: memoryview, offset: int) -> None:
        vault = self._vault
        if vault is None:
            raise ImageError("read after close", path=self.path, offset=offset)
        vault.read_into(place, view)

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
        with self._changed:
            self._changed.wait_for(lambda: self.size is not None)

    def faults(self) -> tuple[Missing, ...]:
        """Why the stream broke off, if it did; how much is missing behind that place is not known."""
        return (Missing(0, self._fault, self.size),) if self._fault else ()

    def _wait_for(self, upto: int) -> int:
        """Wait for the bytes below ``upto``; how many bytes there are by then."""
        if self._closed:
            raise ImageError("read after close", path=self.path)
        if self._ready < upto and self.size is None:
            with self._changed:
                self._changed.wait_for(lambda: self._ready >= upto or self.size is not None)
        return self._ready

    def close(self) -> None:
        """Forget the bytes and the key. The thread ends with its next piece."""
        with self._changed:
            self._closed = True
            if self.size is not None:
                self._dispose()

    def _dispose(self) -> None:
        self._memory = []
        vault, self._vault = self._vault, None
        if vault is not None:
            vault.close()

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
        while start < length:
            zero = data.startswith(_ZEROS, start)
            stop = start + BLOCK
            while stop < length and data.startswith(_ZEROS, stop) == zero:
                stop += BLOCK
            room = self._limits.max_apparent_bytes - self._ready
            if room < min(stop, visible) - start:
                raise LimitError(f"more than {self._limits.max_apparent_bytes} bytes come out of the stream")
            if zero:
                self._index.frombytes(bytes(self._index.itemsize * ((stop - start) // BLOCK)))
            else:
                self._keep(data, start, stop)
            with self._changed:
                self._ready += min(stop, visible) - start
                self._changed.notify_all()
            start = stop

    def _keep(self, data: bytes, start: int, stop: int) -> None:
        if (self._slots + (stop - start) // BLOCK) * BLOCK > self._limits.max_stored_bytes:
            raise LimitError(
                f"more than {self._limits.max_stored_bytes} non-zero bytes come out of the stream"
            )
        while start < stop and self._slots < self._memory_slots:
            self._memory.append(data[start : start + BLOCK])
            self._claim(1)
            start += BLOCK
        if start < stop:
            if self._vault is None:
                self._vault = _Vault(self._limits)
            self._vault.write(self._slots, memoryview(data)[start:stop])
            self._claim((stop - start) // BLOCK)

    def _claim(self, blocks: int) -> None:
        self._index.extend(range(self._slots + 1, self._slots + 1 + blocks))
        self._slots += blocks


class _Vault:
    """The encrypted file. Every slot is written once, so no part of the key stream is used twice."""

    def __init__(self, limits: Limits) -> None:
        import tempfile

        from cryptography.hazmat.primitives.ciphers import algorithms

        self._limits = limits
        self._algorithm = algorithms.AES(os.urandom(32))
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=limits.spool_directory)  # noqa: SIM115
        self._descriptor = self._file.fileno()
        self._out = bytearray()
        self._until_check = 0

    def _cipher(self, place: int) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, modes

        counter = (place // 16).to_bytes(16, "big")
        return Cipher(self._algorithm, modes.CTR(counter)).encryptor()

    def write(self, slot: int, data: memoryview) -> None:
        self._check_space(len(data))
        if len(self._out) < len(data):
            self._out = bytearray(len(data))
        out = memoryview(self._out)[: len(data)]
        self._cipher(slot * BLOCK).update_into(data, out)
        done = 0
        while done < len(out):
            done += os.pwrite(self._descriptor, out[done:], slot * BLOCK + done)

    def _check_space(self, length: int) -> None:
        self._until_check -= length // BLOCK
        if self._until_check > 0:
            return
        self._until_check = _DISK_CHECK
        space = os.fstatvfs(self._descriptor)
        if space.f_bavail * space.f_frsize < self._limits.disk_margin_bytes:
            raise LimitError("the spool's file system is nearly full")

    def read_into(self, place: int, view: memoryview) -> None:
        skip = place % 16
        if skip == 0:
            self._decrypt(place, view)
            return
        whole = bytearray(skip + len(view))
        self._decrypt(place - skip, memoryview(whole))
        view[:] = whole[skip:]

    def _decrypt(self, place: int, view: memoryview) -> None:
        done = 0
        while done < len(view):
            count = os.preadv(self._descriptor, [view[done:]], place + done)
            if count == 0:
                raise ImageError("the spool file is cut short", offset=place)
            done += count
        self._cipher(place).update_into(view, view)

    def close(self) -> None:
        self._file.close()
