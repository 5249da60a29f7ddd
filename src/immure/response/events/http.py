"""Sending to somebody else's server, and what it answers: https, bounded in size and in time.

>>> Sender(allow_loopback=True).send("ftp://x.example/", b"")
Traceback (most recent call last):
...
immure.response.events.errors.SendError: ftp://x.example/: only https is fetched (http from loopback hosts)

Where may be connected to is decided as for key sets (:mod:`immure.keymaterial.sources_http`): the address is
resolved once and checked, and redirects are not followed.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import _Deadline, is_loopback_url
from immure.response.events.errors import SendError
from immure.tokens.sources.fetch import _PageFetcher

_MOST_ANSWER: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers.

    Attributes:
        status: of HTTP.
        body: at most 4 MiB.
    """

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Sender:
    """How requests are sent.

    Attributes:
        allow_private_hosts: also to addresses that are not public.
        allow_loopback: also to URLs that name this machine, then over http too.
        ca_file: PEM file of the certificates to trust instead of the system's.
        seconds: for one request with its answer.
    """

    allow_private_hosts: bool = False
    allow_loopback: bool = False
    ca_file: str | None = None
    seconds: float = 10.0

    @classmethod
    def to(
        cls, url: str, *, private_hosts: bool = False, ca_file: str | None = None, seconds: float = 10.0
    ) -> Sender:
        """For a URL that stands in a file of settings: also this machine, if it is the one that is named."""
        return cls(private_hosts, is_loopback_url(url), ca_file, seconds)

    def send(
        self, url: str, body: bytes, headers: Mapping[str, str] | None = None, *, method: str = "POST"
    ) -> Answer:
        """Send a request, and read the answer, whatever its status.

        Raises:
            SendError: it may not be sent there, or there is no answer.
        """
        request = _Request(
            self.allow_private_hosts, self.allow_loopback, _MOST_ANSWER, self.seconds, 0, self.ca_file, None,
            method, body, headers or {},
        )  # fmt: skip
        try:
            found = request(url)
        except KeySourceError as error:
            raise SendError(error.reason, path=_plain(url)) from error
        except ValueError:
            raise SendError("is not a valid URL", path=_plain(url)) from None
        return Answer(found.status if isinstance(found, _Body) else 0, bytes(found))


class _Body(bytes):
    """A body that remembers the status before it."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class _Request(_PageFetcher):
    """The fetcher of key sets, which knows what may be connected to, and here sends."""

    method: str = "POST"
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def _get(self, parts: SplitResult, deadline: _Deadline) -> bytes | str:
        connection = http.client.HTTPConnection(parts.netloc, timeout=deadline.left)
        connection.sock = self._connect(parts, deadline)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"User-Agent": "immure", "Connection": "close", **self.headers}
            connection.request(self.method, target, body=self.body, headers=headers)
            response = connection.getresponse()
            made = _Body(response.read(self.max_bytes + 1))
        finally:
            connection.close()
        if deadline.expired:
            raise TimeoutError
        if len(made) > self.max_bytes:
            raise KeySourceError(f"more than {self.max_bytes} bytes")
        made.status = response.status
        return made


def _plain(url: str) -> str:
    """Without a query, which may hold a secret."""
    return url.partition("?")[0][:200]
