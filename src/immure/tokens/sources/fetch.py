"""Getting key sets and discovery documents over HTTPS, and learning for how long they are good.

>>> freshness("public, max-age=3600, must-revalidate", age="600")
3000.0

What may be fetched, from where, and how an address that is checked is the address that is connected to, is
said in :mod:`immure.keymaterial.sources_http`. This adds what a validator that runs for years needs: how
long an answer is good, a CA of one's own, and that the places where clouds keep their machines' credentials
are never asked, whatever else is allowed.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urljoin

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import _NAT64, _REDIRECTS, Address, HttpsFetcher, _Deadline
from immure.tokens.sources.addresses import plain_url

_DIRECTIVE: Final = re.compile(r'(?ai)(max-age|no-store|no-cache)(?:\s*=\s*"?(\d{1,10})"?)?\s*')
_MOST_TOKEN: Final = 16 << 10
_NOT_THERE: Final = (400, 401, 403, 404, 405, 410)
#: Where clouds answer their machines, beside all of the link-local addresses.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
)


@dataclass(frozen=True, slots=True)
class Page:
    """A document that was fetched.

    Attributes:
        data: its bytes.
        max_age: seconds for which the answer is good, as its server says (RFC 9111); None if it says nothing.
    """

    data: bytes
    max_age: float | None = None


class NotThereError(KeySourceError):
    """The server answers, and says that there is no such document, or not for us (HTTP 4xx)."""


class Fetcher(ABC):
    """Gets documents; in tests a subclass that imagines them."""

    @abstractmethod
    def fetch(self, url: str) -> Page:
        """The document at a URL.

        Raises:
            NotThereError: its server says so.
            KeySourceError: it is refused, or cannot be got; the reason says which.
        """


@dataclass(frozen=True, slots=True)
class HttpsPages(Fetcher):
    """The real thing: https, bounded in size and in time, public addresses.

    Attributes:
        allow_private_hosts: also connect to private addresses, but for link-local and metadata ones.
        allow_loopback: also fetch URLs that name this machine, then over http too.
        ca_file: PEM file of the certificates to trust instead of the system's.
        token_file: file with a bearer token (RFC 6750) for servers that do not show their keys to everybody,
            as that of Kubernetes; read anew for each document.
        token_host: the only ``host`` or ``host:port`` that gets the token, over https.
        max_bytes: of a document.
        seconds: for one document, redirects included.
        max_redirects: on the same host and by the same scheme.
    """

    allow_private_hosts: bool = False
    allow_loopback: bool = False
    ca_file: str | None = None
    max_bytes: int = 1 << 20
    seconds: float = 10.0
    max_redirects: int = 3
    token_file: str | None = None
    token_host: str | None = None

    def __post_init__(self) -> None:
        if (self.token_file is None) != (self.token_host is None):
            raise KeySourceError("a token needs a host that it is for, and the other way round")

    def fetch(self, url: str) -> Page:
        """See :meth:`Fetcher.fetch`."""
        try:
            get = _PageFetcher(
                self.allow_private_hosts, self.allow_loopback, self.max_bytes, self.seconds,
                self.max_redirects, self.ca_file, self._token(url),
            )  # fmt: skip
            body = get(url)
        except ValueError:  # urljoin on some redirects, the TLS library on some host names
            raise KeySourceError("leads to what is not a valid URL", path=url) from None
        return Page(bytes(body), body.max_age if isinstance(body, _Body) else None)

    def _token(self, url: str) -> str | None:
        """The token for this address; redirects lead to the same host only."""
        if self.token_file is None or self.token_host is None:
            return None
        wanted = plain_url(f"https://{self.token_host}")
        return _read_token(self.token_file) if plain_url(urljoin(url, "/")) == wanted else None


def _read_token(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            token = stream.read(_MOST_TOKEN + 1).strip()
    except (OSError, ValueError) as error:
        raise KeySourceError(
            f"the token cannot be read ({getattr(error, 'strerror', None)})", path=path
        ) from None
    if len(token) > _MOST_TOKEN or not re.fullmatch(rb"[A-Za-z0-9._~+/-]+=*", token):
        raise KeySourceError("is not a bearer token (RFC 6750, section 2.1)", path=path)
    return token.decode()


def freshness(cache_control: str | None, age: str | None = None) -> float | None:
    """For how many seconds an answer with these headers is good (RFC 9111, sections 4.2.1 and 4.2.3).

    None if nothing is said; 0 if it must not be reused. Of contradictions the shortest holds, and a number
    that cannot be read means 0.
    """
    found: list[float] = []
    for part in (cache_control or "")[:4096].split(","):
        match = _DIRECTIVE.fullmatch(part.strip())
        if match:
            found.append(float(match[2]) if match[2] and match[1].lower() == "max-age" else 0.0)
        elif part.strip().lower().startswith("max-age"):
            found.append(0.0)
    if not found:
        return None
    spent = float(age) if age and re.fullmatch(r"[0-9]{1,10}", age) else 0.0
    return max(0.0, min(found) - spent)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 address that stands for one, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class _Body(bytes):
    """A document that remembers for how long it is good."""

    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class _PageFetcher(HttpsFetcher):
    """The fetcher of key material, which keeps one header more and refuses a few addresses more."""

    ca_file: str | None = None
    token: str | None = field(default=None, repr=False)

    def _get(self, parts: SplitResult, deadline: _Deadline) -> bytes | str:
        connection = http.client.HTTPConnection(parts.netloc, timeout=deadline.left)
        connection.sock = self._connect(parts, deadline)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"Accept": "application/json, */*;q=0.5", "User-Agent": "immure", "Connection": "close"}
            if self.token is not None:
                headers["Authorization"] = f"Bearer {self.token}"
            connection.request("GET", target, headers=headers)
            return self._taken(connection.getresponse(), parts, deadline)
        finally:
            connection.close()

    def _taken(
        self, response: http.client.HTTPResponse, parts: SplitResult, deadline: _Deadline
    ) -> bytes | str:
        if response.status in _REDIRECTS:
            return response.getheader("Location") or ""
        if response.status != 200:
            kind = NotThereError if response.status in _NOT_THERE else KeySourceError
            raise kind(f"HTTP status {response.status}", path=parts.geturl())
        if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
            raise KeySourceError("is compressed, which was not asked for", path=parts.geturl())
        if (response.length or 0) > self.max_bytes:
            raise KeySourceError(f"more than {self.max_bytes} bytes", path=parts.geturl())
        body = _Body(response.read(self.max_bytes + 1))
        if deadline.expired:
            raise TimeoutError
        if len(body) > self.max_bytes:
            raise KeySourceError(f"more than {self.max_bytes} bytes", path=parts.geturl())
        if response.length:  # http.client lets a body pass that ends too early
            raise http.client.IncompleteRead(b"", response.length)
        body.max_age = freshness(response.getheader("Cache-Control"), response.getheader("Age"))
        return body

    def _may_connect(self, address: Address, parts: SplitResult) -> bool:
        inner = _unwrapped(address)
        if inner.is_link_local or inner in _METADATA:
            return False
        return HttpsFetcher._may_connect(self, address, parts)

    def _secured(self, sock: socket.socket, host: str, deadline: _Deadline) -> ssl.SSLSocket:
        if self.ca_file is None:
            return HttpsFetcher._secured(self, sock, host, deadline)
        context = ssl.create_default_context(cafile=self.ca_file)
        secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        deadline.watch(secured)
        try:
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured
