"""Credentials of services in text, by how they look: an existing engine (Kingfisher, extra ``credentials``)
with some hundred rules, run inside this process and never against the network.

A match is no proof, unlike everything else in this room: it says that bytes look like a token. So it is no
finding of a scan, and nothing of what matched is kept but a digest under a salt of this process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal

from immure.dumps.dump import Image
from immure.errors import UsageError

Confidence = Literal["low", "medium", "high"]

_WINDOW: Final = 8 << 20
#: Longer than any token; a match that goes on behind a window is found in the next one.
_OVERLAP: Final = 64 << 10
_PATIENCE: Final = 60.0
_MOST_WORDS: Final = 200
#: Matches of an image that are told: of a list of tokens the first ones say enough.
_MOST_MATCHES: Final = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Credential:
    """Bytes that look like a credential.

    Attributes:
        offset, length: where they are in the image. If ``is_encoded``, where the base64 text is.
        rule: the engine's name of the rule.
        words: what that says of it.
        confidence: as the engine rates the rule.
        is_encoded: whether it stood in base64.
        digest: equal for equal bytes in the same process; says nothing to anybody else.
    """

    offset: int
    length: int
    rule: str
    words: str
    confidence: str
    is_encoded: bool
    digest: str


@dataclass(frozen=True, slots=True)
class NotRead:
    """A range that the engine did not search, and why."""

    offset: int
    length: int
    reason: str


class CredentialSearch:
    """The engine with its rules, which take a second to load (the first time on a machine some more: it keeps
    them compiled in the user's cache directory). For one thread.

    Args:
        confidence: the least that a rule must have.

    Raises:
        UsageError: the package is missing.
    """

    def __init__(self, confidence: Confidence = "medium") -> None:
        try:
            engine: Any = import_module("kingfisher_sdk")
        except ImportError as error:
            reason = "credentials in text need the package kingfisher-secret-scanner:"
            raise UsageError(f"{reason} pip install 'immure[credentials]'") from error
        self._salt = os.urandom(16)
        # comments in what is searched must not be able to silence the search
        policy = engine.DetectionPolicy(inline_ignores=False)
        self._scanner = engine.Scanner(engine.Rules(confidence=confidence), policy=policy)

    def search(self, image: Image) -> Iterator[Credential | NotRead]:
        """What looks like a credential in an image, in order of windows; each once."""
        image.reader.wait()
        start, size, told = 0, image.reader.size or 0, 0
        seen: set[tuple[int, str]] = set()
        while start < size:
            data = image.reader.read(start, _WINDOW)
            for one in self._in_window(data, start) if data.count(0) < len(data) else ():
                place = one.offset, one.rule if isinstance(one, Credential) else ""
                if place in seen:
                    continue
                seen.add(place)
                told += 1
                if told > _MOST_MATCHES:
                    yield NotRead(start, size - start, f"more than {_MOST_MATCHES} credentials in one image")
                    return
                yield one
            if len(data) < _WINDOW:
                if start + len(data) < size:
                    yield NotRead(start + len(data), size - start - len(data), "could not be read")
                return
            start += _WINDOW - _OVERLAP

    def _in_window(self, data: bytes, start: int) -> Iterator[Credential | NotRead]:
        try:
            matches = self._scanner.scan(data, timeout=_PATIENCE)
        except (TimeoutError, RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:_MOST_WORDS]
            yield NotRead(start, len(data), f"the search for credentials gave up: {reason}")
            return
        for match in matches:
            first, last = match.location["start_offset"], match.location["end_offset"]
            if match.visible and 0 <= first < last <= len(data):
                yield Credential(
                    start + first,
                    last - first,
                    match.rule_id,
                    match.rule_name[:_MOST_WORDS],
                    match.confidence,
                    match.is_base64_encoded,
                    hashlib.blake2b(match.secret.encode(), key=self._salt, digest_size=16).hexdigest(),
                )
