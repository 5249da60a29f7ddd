"""The native half, as the holder's Python calls it: numbers in, public bytes out, failures as errors.

It is loaded by :mod:`immure.custody.keyholder.boot` before anything else is, since libcrypto's memory can be
moved only before it is first used; so nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, Final

from immure.custody.algorithms import Algorithm
from immure.custody.keyholder.errors import HolderFaultError

SLOTS: Final = 64
#: Seals: of the file that is open, and of a backup that is read or written.
FILE, OTHER = 0, 1
_ALGORITHMS: Final[dict[Algorithm, int]] = {"RS256": 0, "PS256": 1, "ES256": 2, "ES384": 3, "EdDSA": 4}
_KINDS: Final[dict[Algorithm, bytes]] = {
    "RS256": b"RSA",
    "PS256": b"RSA",
    "ES256": b"P-256",
    "ES384": b"P-384",
    "EdDSA": b"ED25519",
}
_ROOM: Final = 8192
_SKETCH_ROOM: Final = 64 << 10
_COLLECT: Final = 256 << 10
_ANSWER: Final = Struct("<QiI")


class Native:
    """One process has one; ``module`` is the compiled extension, its arena open and libcrypto started."""

    def __init__(self, module: Any) -> None:
        self._lib = module.lib
        self._ffi = module.ffi
        self._out = self._ffi.new("uint8_t[]", _ROOM)
        self._answers = self._ffi.new("uint8_t[]", _COLLECT)

    def words(self) -> str:
        """What the last failure was."""
        return str(self._ffi.string(self._lib.kh_words()).decode("utf-8", "replace"))

    def library(self) -> str:
        """The name and version of libcrypto."""
        return str(self._ffi.string(self._lib.kh_library()).decode("ascii", "replace"))

    def _check(self, result: int) -> int:
        if result < 0:
            raise HolderFaultError(self.words())
        return result

    def room(self) -> int:
        """Bytes of the arena that were never used."""
        return int(self._lib.kh_room())

    def spilled(self) -> bool:
        """Whether scrypt's working memory was not secret memory."""
        return bool(self._lib.kh_spilled())

    def harden(self) -> None:
        """No dumps, no new privileges."""
        self._check(self._lib.kh_harden())

    def is_dumpable(self) -> bool:
        """Whether the process may leave a core."""
        return bool(self._lib.kh_is_dumpable())

    def guard(self, uid: int, gid: int) -> int:
        """Start the guard; its process id, or an error's reason in HolderFaultError."""
        return self._check(self._lib.kh_guard(uid, gid))

    def landlock(self, directory: int) -> None:
        """From now on only the files of this directory; before the threads start."""
        self._check(self._lib.kh_landlock(directory))

    def seccomp(self) -> None:
        """From now on only a few system calls."""
        self._check(self._lib.kh_seccomp())

    def workers(self, count: int, check: bool) -> int:
        """Start the threads; the descriptor that says when there are answers."""
        self._lib.kh_checks(int(check))
        self._check(self._lib.kh_workers(count))
        return int(self._lib.kh_event())

    def derive(self, seal: int, handles: Sequence[int], salts: bytes, cost: tuple[int, int, int]) -> None:
        """Stretch the PINs that descriptors give."""
        self._check(self._lib.kh_derive(seal, list(handles), len(handles), salts, *cost))

    def forget(self, seal: int) -> None:
        """Wipe a seal."""
        self._check(self._lib.kh_forget(seal))

    def mac(self, seal: int, data: bytes) -> bytes:
        """The code of ``data``."""
        self._check(self._lib.kh_mac(seal, data, len(data), self._out))
        return bytes(self._ffi.buffer(self._out, 32))

    def mac_holds(self, seal: int, data: bytes, code: bytes) -> bool:
        """Whether this is its code."""
        return self._check(self._lib.kh_mac_holds(seal, data, len(data), code)) == 1

    def random(self, size: int) -> bytes:
        """Random bytes that may be known, such as salts."""
        self._check(self._lib.kh_random(self._out, min(size, _ROOM)))
        return bytes(self._ffi.buffer(self._out, min(size, _ROOM)))

    def import_key(self, slot: int, handle: int) -> bytes:
        """Read a private key from a file; its public half."""
        size = self._check(self._lib.kh_import(slot, handle, self._out, _ROOM))
        return bytes(self._ffi.buffer(self._out, size))

    def wrap(self, seal: int, slot: int, about: bytes) -> bytes:
        """The private half, sealed."""
        size = self._check(self._lib.kh_wrap(seal, slot, about, len(about), self._out, _ROOM))
        return bytes(self._ffi.buffer(self._out, size))

    def unwrap(self, seal: int, slot: int, blob: bytes, about: bytes) -> bytes:
        """Open a sealed private half into a slot; its public half."""
        result = self._lib.kh_unwrap(seal, slot, blob, len(blob), about, len(about), self._out, _ROOM)
        return bytes(self._ffi.buffer(self._out, self._check(result)))

    def sketch(self, slot: int, salt: bytes) -> bytes:
        """Digests of the private numbers; see ``c/kh_sketch.h``."""
        out = self._ffi.new("uint8_t[]", _SKETCH_ROOM)
        size = self._check(self._lib.kh_sketch(slot, salt, out, _SKETCH_ROOM))
        return bytes(self._ffi.buffer(out, size))

    def drop(self, slot: int) -> None:
        """Wipe a slot."""
        self._check(self._lib.kh_drop(slot))

    def generate(self, number: int, slot: int, algorithm: Algorithm, bits: int) -> None:
        """Have a key made; the answer with that number is its public half."""
        self._check(self._lib.kh_generate(number, slot, _KINDS[algorithm], bits))

    def sign(self, number: int, slot: int, algorithm: Algorithm, message: bytes) -> None:
        """Have a message signed; the answer with that number is the signature, as JWS has it."""
        self._check(self._lib.kh_sign(number, slot, _ALGORITHMS[algorithm], message, len(message)))

    def collect(self) -> Iterator[tuple[int, bytes | None]]:
        """Answers by number; None for what failed."""
        size = self._check(self._lib.kh_collect(self._answers, _COLLECT))
        data = bytes(self._ffi.buffer(self._answers, size))
        at = 0
        while at < size:
            number, status, length = _ANSWER.unpack_from(data, at)
            at += _ANSWER.size
            yield number, data[at : at + length] if status == 0 else None
            at += length
