"""The key of a token: bytes of the image under which the code of a known HS256 token holds.

A token proves its key: HMAC of its header and claims under the key is its signature (RFC 7515, RFC 7518,
section 3.2). So nothing is needed of the key but one token that it made. What is tried is bounded; what was
not is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from immure.keymaterial.encodings import encodings
from immure.scanning.chunks import Chunk
from immure.scanning.finding import NotSearched
from immure.scanning.hmac_token import HmacToken
from immure.scanning.kernels.ec import candidates
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.options import Mode
from immure.scanning.proofs import Proof
from immure.secret import Secret

#: As which detector reports name it.
DETECTOR: Final = "token"
#: Lengths of keys that are tried as bytes, and of texts.
WIDTHS: Final = (32, 48, 64)
TEXTS: Final = re.compile(rb"[\x21-\x7e]{8,128}")
#: Keys that quick mode tries in a chunk: a tenth of a second of work.
MOST_TRIED: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class KeyProof(Proof):
    """A key that made a token; swept for like the numbers of any proved key."""

    def needles(self) -> list[tuple[str, str, bytes]]:
        """See :meth:`Proof.needles`."""
        value = self.scalar.reveal() if self.scalar is not None else b""
        return [("secret", encoding, data) for encoding, data in encodings("secret", value, None)]


@dataclass(frozen=True, slots=True)
class Tried:
    """What one chunk gave: (offset, key), and the offset from which on nothing was tried."""

    found: list[tuple[int, Secret[bytes]]]
    stopped: int | None


class Trial:
    """Tries what stands in an image as the key of a token; used by all threads."""

    def __init__(self, token: HmacToken, mode: Mode) -> None:
        self._token = token
        self._strict = mode == "quick"
        self._most = MOST_TRIED if mode == "quick" else 1 << 62
        self.not_searched: list[NotSearched] = []

    def examine(self, space: Workspace, chunk: Chunk) -> Tried:
        """Try the candidates that begin in the chunk's core; the chunk is in the workspace."""
        found: list[tuple[int, Secret[bytes]]] = []
        token = self._token
        for count, (at, key) in enumerate(self._keys(space, chunk)):
            if count == self._most:
                return Tried(found, chunk.read_start + at)
            if token.is_made_by(key):
                found.append((chunk.read_start + at, Secret(key)))
        return Tried(found, None)

    def _keys(self, space: Workspace, chunk: Chunk) -> Iterator[tuple[int, bytes]]:
        low, high = chunk.start - chunk.read_start, chunk.stop - chunk.read_start
        if not space.find_runs():
            return
        memory = space.view[: space.length]
        for match in TEXTS.finditer(memory, max(0, low - 1), min(space.length, high + 128)):
            if low <= match.start() < high and (match.start() % 8 == 0 or not match.start()):
                yield match.start(), match[0]
        for at in candidates(memory, space.strict.flat(), step=8, strict=self._strict):
            if low <= at < high:
                for width in WIDTHS:
                    if at + width <= space.length:
                        yield at, bytes(memory[at : at + width])

    def settle(self, tried: Tried, chunk: Chunk) -> list[Proof]:
        """The proofs, in the order of the chunks."""
        if tried.stopped is not None:
            start = max(chunk.start, tried.stopped)
            reason = f"quick mode: {self._most} keys of one chunk were tried; --mode exhaustive tries all"
            self.not_searched.append(NotSearched(start, chunk.stop - start, DETECTOR, reason))
        return [self._proof(offset, key) for offset, key in tried.found[:1]]

    def _proof(self, offset: int, key: Secret[bytes]) -> KeyProof:
        length, algorithm = len(key.reveal()), self._token.algorithm
        words = f"the token's {algorithm} code holds under these {length} bytes"
        return KeyProof(self._token.key.numbers, words, offset, None, key, secret="secret")
