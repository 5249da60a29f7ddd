"""The common key-metadata endpoint of 2018: one document with the keys of consumers and enterprises together.

The issuers publish theirs apart; this puts them into one file, again and again, as relying parties of that
time had them. What each key says of itself (``issuer``, ``audience_classes``) is left as it is: whether
anybody looks at it is what the replay is about.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from immure.files import write_whole
from immure.replay.errors import ReplayError
from immure.replay.issuers import Issuer

_EVERY: Final = 0.25


class Publisher:
    """Keeps the document up to date until the block ends.

    Args:
        issuers: whose keys are in it.
        path: of the document.
    """

    def __init__(self, issuers: Sequence[Issuer], path: Path) -> None:
        self.path = path
        self.issuers = tuple(issuers)
        self._latest: dict[str, list[dict[str, Any]]] = {}
        self._written = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="immure replay publisher", daemon=True)

    def __enter__(self) -> Publisher:
        self.publish()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def publish(self) -> None:
        """Ask all issuers, and write what they say; an issuer that is down keeps what it said before."""
        for one in self.issuers:
            try:
                self._latest[one.url] = one.jwks()["keys"]
            except (ReplayError, KeyError):
                continue  # it has just crashed, and comes again
        keys = [key for issuer in self.issuers for key in self._latest.get(issuer.url, [])]
        document = json.dumps({"keys": keys}, indent=1).encode()
        if keys and document != self._written:
            write_whole(self.path, document, mode=0o644)
            self._written = document

    def has(self, kid: str) -> bool:
        """Whether a key of that name is in the document."""
        return f'"{kid}"'.encode() in self._written

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            self.publish()
