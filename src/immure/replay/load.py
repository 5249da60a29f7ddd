"""Clients of an issuer that ask for tokens all the time, as on any day."""

from __future__ import annotations

import threading
import time
from typing import Final

from immure.replay.errors import ReplayError
from immure.replay.issuers import Issuer

_PATIENCE: Final = 120.0


class Load:
    """Asks until the block ends; an issuer that has crashed is asked again.

    Args:
        issuer: who is asked.
        pause: seconds between two tokens.
    """

    def __init__(self, issuer: Issuer, *, pause: float = 0.0) -> None:
        self._issuer, self._pause = issuer, pause
        self._tokens = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="immure replay load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, tokens: int) -> int:
        """Until so many tokens were given out; how many were. Raises ReplayError if they never are."""
        end = time.monotonic() + _PATIENCE
        while self._tokens < tokens:
            if time.monotonic() > end:
                raise ReplayError(
                    f"the {self._issuer.kind} issuer gave out {self._tokens} tokens, and no more"
                )
            time.sleep(0.01)
        return self._tokens

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._issuer.token()
                self._tokens += 1
                self._stop.wait(self._pause)
            except ReplayError:
                self._stop.wait(0.1)
