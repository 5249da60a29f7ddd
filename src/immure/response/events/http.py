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
from urllib.parse import SplitResult, urlsplit

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import _Deadline, _words, is_loopback_url, split_url
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
        plain: over http to any host, too; for answers that are signed.
        most: bytes of the longest answer.
    """

    allow_private_hosts: bool = False
    allow_loopback: bool = False
    ca_file: str | None = None
    seconds: float = 10.0
    plain: bool = False
    most: int = _MOST_ANSWER

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
            self.allow_private_hosts, self.allow_loopback, self.most, self.seconds, 0, self.ca_file, None,
            method, body, headers or {}, self.plain,
        )  # fmt: skip
        try:
            found = request(url)
        except KeySourceError as error:
            raise SendError(error.reason, path=shown_url(url)) from error
        except ValueError:
            raise SendError("is not a valid URL", path=shown_url(url)) from None
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
    plain: bool = False

    def __call__(self, url: str) -> bytes:
        """The answer at a URL; raises KeySourceError, and ValueError for what is no URL."""
        if not self.plain or urlsplit(url).scheme != "http":
            return _PageFetcher.__call__(self, url)
        # whatever else a URL must be, it must be over http as well
        parts = split_url(f"https{url[4:]}", allow_loopback=self.allow_loopback)._replace(scheme="http")
        with _Deadline(self.seconds) as deadline:
            try:
                return self._get(parts, deadline)
            except (OSError, http.client.HTTPException, UnicodeError) as error:
                reason = f"no answer within {self.seconds:g} s" if deadline.expired else _words(error)
                raise KeySourceError(reason, path=url) from error

    def _get(self, parts: SplitResult, deadline: _Deadline) -> _Body:
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


def shown_url(url: str) -> str:
    """A URL as errors show it: without a query, which may hold a secret."""
    return url.partition("?")[0][:200]
