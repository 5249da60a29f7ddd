"""Getting a small document over HTTPS from a host that somebody else may have named.

Bounded in size and in time, TLS always verified, no proxy, no redirect to another host; the address is
resolved once, checked, and that very address is connected to, so a name that changes its address in
between gains nothing.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from immure.errors import KeySourceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"https": 443, "http": 80}


def is_loopback_url(url: str) -> bool:
    """Whether the URL names this machine by itself: ``localhost`` or a loopback address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_url(url: str, *, allow_loopback: bool) -> SplitResult:
    """The parts of a URL that may be fetched.

    Raises:
        KeySourceError: it is malformed, holds a password, is not https, or names this machine where that
            is not allowed.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise KeySourceError("is not a valid URL", path=url) from None
    if not parts.hostname or any(not "!" <= char <= "~" for char in url):
        raise KeySourceError("is not a valid URL", path=url)
    if parts.username is not None or parts.password is not None:
        raise KeySourceError("URL with a user name in it is not fetched", path=parts.hostname)
    loopback = is_loopback_url(url)
    if loopback and not allow_loopback:
        raise KeySourceError("URL of this machine is fetched only if it is given directly", path=url)
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise KeySourceError("only https is fetched (http from loopback hosts)", path=url)
    return parts


def is_public_address(address: Address) -> bool:
    """Whether an address is one of the public internet, also if it is wrapped in an IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return is_public_address(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Deadline:
    """Shuts a socket down when time is up, whatever it is waiting for."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self.expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, sock: socket.socket) -> None:
        self._socket = sock
        if self.expired:
            self._expire()

    @property
    def left(self) -> float:
        return max(0.001, self._ends - time.monotonic())

    def _expire(self) -> None:
        self.expired = True
        sock = self._socket
        if sock is not None and sock.fileno() >= 0:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which might want to talk first
            except OSError:
                return  # closed meanwhile: nothing waits for it


@dataclass(frozen=True, slots=True)
class HttpsFetcher:
    """Fetches documents; see the module.

    Attributes:
        allow_private_hosts: also connect to addresses that are not public.
        allow_loopback: also fetch URLs that name this machine, then over http too.
        max_bytes: of a document.
        seconds: for one document, redirects included.
        max_redirects: on the same host.
    """

    allow_private_hosts: bool = False
    allow_loopback: bool = False
    max_bytes: int = 1 << 20
    seconds: float = 10.0
    max_redirects: int = 3

    def __call__(self, url: str) -> bytes:
        """The document at a URL.

        Raises:
            KeySourceError: it is refused, cannot be got, or is too large; the reason says which.
        """
        with _Deadline(self.seconds) as deadline:
            current = url
            for _ in range(self.max_redirects + 1):
                parts = split_url(current, allow_loopback=self.allow_loopback)
                try:
                    found = self._get(parts, deadline)
                except (OSError, http.client.HTTPException, UnicodeError) as error:
                    reason = f"no answer within {self.seconds:g} s" if deadline.expired else _words(error)
                    raise KeySourceError(reason, path=url) from error
                if isinstance(found, bytes):
                    return found
                current = self._redirected(current, found)
        raise KeySourceError(f"more than {self.max_redirects} redirects", path=url)

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
        except ValueError as error:
            raise KeySourceError("redirects to what is not a valid URL", path=url) from error
        old, new = urlsplit(url), split_url(target, allow_loopback=self.allow_loopback)
        if (old.scheme, old.netloc.lower()) != (new.scheme, new.netloc.lower()):
            raise KeySourceError(f"redirects to another host ({new.netloc})", path=url)
        return target

    def _get(self, parts: SplitResult, deadline: _Deadline) -> bytes | str:
        """The document, or where it is said to be."""
        connection = http.client.HTTPConnection(parts.netloc, timeout=deadline.left)
        connection.sock = self._connect(parts, deadline)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"Accept": "application/json, */*;q=0.5", "User-Agent": "immure", "Connection": "close"}
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            if response.status in _REDIRECTS:
                return response.getheader("Location") or ""
            if response.status != 200:
                raise KeySourceError(f"HTTP status {response.status}", path=parts.geturl())
            data = response.read(self.max_bytes + 1)
            if response.length and len(data) <= self.max_bytes:
                raise http.client.IncompleteRead(b"", response.length)
        finally:
            connection.close()
        if deadline.expired:
            raise TimeoutError
        if len(data) > self.max_bytes:
            raise KeySourceError(f"more than {self.max_bytes} bytes", path=parts.geturl())
        return data

    def _connect(self, parts: SplitResult, deadline: _Deadline) -> socket.socket:
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        refused = None
        failure: OSError | None = None
        for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            address = ipaddress.ip_address(str(place[0]).partition("%")[0])
            if not self._may_connect(address, parts):
                refused = address
                continue
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(deadline.left)
                deadline.watch(sock)
                sock.connect(place)
                return self._secured(sock, host, deadline) if parts.scheme == "https" else sock
            except OSError as error:
                sock.close()
                failure = error
        if failure is not None:
            raise failure
        raise KeySourceError(f"its address {refused} is not public, and was not allowed", path=parts.geturl())

    def _may_connect(self, address: Address, parts: SplitResult) -> bool:
        if is_loopback_url(parts.geturl()):
            return address.is_loopback
        if self.allow_private_hosts:
            return not address.is_multicast and not address.is_unspecified
        return is_public_address(address)

    def _secured(self, sock: socket.socket, host: str, deadline: _Deadline) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        deadline.watch(secured)
        try:
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured


def _words(error: Exception) -> str:
    """What went wrong, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its host name cannot be resolved"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"cannot be fetched ({getattr(error, 'strerror', None) or type(error).__name__})"
