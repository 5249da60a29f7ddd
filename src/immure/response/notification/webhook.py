"""Letters by webhook: a POST of JSON over https, signed as Standard Webhooks has it.

    webhook-id: the delivery, the same in each attempt: whoever has seen it answers 2xx and forgets the rest
    webhook-timestamp: seconds since 1970 of this attempt
    webhook-signature: v1, and base64 of HMAC-SHA-256 over id "." timestamp "." body

The host is resolved once, and the address that was checked is the one that is connected to. Redirects are not
followed, proxies of the environment not used.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import is_loopback_url, is_public_address, split_url
from immure.response.errors import ResponseError
from immure.response.notification.courier import AboutTo, Courier, Outcome, line
from immure.response.notification.errors import SettingsError
from immure.response.notification.settings import Hooks
from immure.secret import Secret

#: Answers that may be others later, among those that blame the request.
_LATER: Final = (408, 425, 429)
_PORTS: Final = {"https": 443, "http": 80}


class WebhookCourier(Courier):
    """Calls the webhook of one tenant.

    Args:
        settings: how webhooks are called.
        name: id of the delivery.
        secret: signs the call.
        seconds_now: tells the time, seconds since 1970.

    Raises:
        SettingsError: the file of certificates cannot be used.
        ResponseError: httpx is not installed.
    """

    def __init__(
        self, settings: Hooks, name: str, secret: Secret[bytes], seconds_now: Callable[[], int]
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise ResponseError("webhooks need httpx: pip install 'immure[respond]'") from error
        self._httpx = httpx
        self._settings, self._name, self._secret = settings, name, secret
        self._now = seconds_now
        self._context = _context(settings.ca_file)

    async def carry(self, to: str, body: bytes, about_to: AboutTo) -> Outcome:
        """See :meth:`Courier.carry`."""
        try:
            url, host, name = await self._place(to)
        except (KeySourceError, OSError, UnicodeError) as error:
            reason = error.reason if isinstance(error, KeySourceError) else f"its host: {error}"
            return Outcome("failed", line(f"the webhook: {reason}"))
        headers = {
            "Host": host,
            "Content-Type": "application/json",
            "User-Agent": "immure",
            **signature(self._name, self._now(), body, self._secret),
        }
        about_to()
        try:
            async with self._httpx.AsyncClient(
                verify=self._context, timeout=self._settings.seconds, trust_env=False
            ) as client:
                request = client.build_request(
                    "POST", url, content=body, headers=headers, extensions={"sni_hostname": name}
                )
                answer = await asyncio.wait_for(client.send(request, stream=True), self._settings.seconds)
                await answer.aclose()  # what it says besides the status is nothing that we would believe
        except (self._httpx.ConnectError, self._httpx.ConnectTimeout, self._httpx.PoolTimeout) as error:
            return Outcome("failed", line(f"the webhook: {_words(error)}"))
        except (TimeoutError, self._httpx.HTTPError, self._httpx.StreamError, OSError) as error:
            return Outcome("unknown", line(f"the webhook: no answer: {_words(error)}"))
        return _judged(answer.status_code)

    async def _place(self, url: str) -> tuple[str, str, str]:
        """The URL with an address in the place of its host, the host header, and the name for TLS."""
        parts = split_url(url, allow_loopback=self._settings.allow_loopback)
        name, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        loop = asyncio.get_running_loop()
        refused = None
        for *_, place in await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM):
            address = ipaddress.ip_address(str(place[0]).partition("%")[0])
            if not self._may_connect(address, url):
                refused = address
                continue
            literal = f"[{address}]" if address.version == 6 else str(address)
            rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return f"{parts.scheme}://{literal}:{port}{rest}", parts.netloc, name
        raise KeySourceError(f"{refused} is not an address that may be connected to")

    def _may_connect(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address, url: str) -> bool:
        if is_public_address(address):
            return True
        if address.is_loopback:
            return self._settings.allow_loopback and is_loopback_url(url)
        return self._settings.allow_private_hosts and not address.is_link_local


def signature(name: str, timestamp: int, body: bytes, secret: Secret[bytes]) -> Mapping[str, str]:
    """The headers that sign a call (Standard Webhooks, version 1 of its signatures)."""
    signed = b"%s.%d.%s" % (name.encode("ascii"), timestamp, body)
    made = base64.b64encode(hmac.new(secret.reveal(), signed, hashlib.sha256).digest()).decode("ascii")
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{made}",
    }


def body_of(statement: bytes, *, name: str, language: str, subject: str, plain: bytes, html: bytes) -> bytes:
    """What is posted: the list, and the letter around it."""
    whole: dict[str, Any] = {
        "type": "immure.notification",
        "delivery": name,
        "statement": json.loads(statement),
        "letter": {
            "language": language,
            "subject": subject,
            "plain": plain.decode(),
            "html": html.decode(),
        },
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _judged(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome("sent", f"HTTP status {status}")
    permanent = 300 <= status < 500 and status not in _LATER
    return Outcome("failed", f"HTTP status {status}", permanent=permanent)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


@lru_cache(maxsize=2)  # reading the certificates of a system takes longer than most calls
def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("no certificates that could be used", path=str(ca_file)) from error
