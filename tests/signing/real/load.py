"""Clients that ask for tokens without a pause, and keep every one that they receive."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType

import httpx

from immure.digest import signed_digest
from signing.house import SECRET


class Load:
    """``with Load([url, …]) as load``: some threads ask each address; ``tokens`` and ``statuses`` grow.

    A token counts as received when its whole answer is there.
    """

    def __init__(self, issuers: list[str], threads: int = 4) -> None:
        self.tokens: list[str] = []
        self.statuses: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(one,), daemon=True)
            for one in issuers
            for _ in range(threads)
        ]

    def __enter__(self) -> Load:
        for one in self._threads:
            one.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for one in self._threads:
            one.join(60)

    def digests(self) -> set[bytes]:
        """As the ledger names them."""
        return {signed_digest(one.rpartition(".")[0].encode()) for one in self.tokens}

    def _ask(self, issuer: str) -> None:
        while not self._stop.is_set():
            with suppress(httpx.HTTPError), httpx.Client(timeout=40) as client:
                while not self._stop.is_set():
                    data = {"grant_type": "client_credentials"}
                    answer = client.post(f"{issuer}/token", data=data, auth=("daemon", SECRET))
                    with self._lock:
                        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
                        if answer.status_code == 200:
                            self.tokens.append(answer.json()["access_token"])
            self._stop.wait(0.02)
