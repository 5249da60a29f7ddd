"""One form that is sent to an issuer, bounded in time and in size."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from immure.errors import InputError, KeySourceError

_SECONDS: Final = 10.0
_MOST_BYTES: Final = 64 << 10


def ask_form(url: str, form: Mapping[str, str], authorization: str | None = None) -> dict[str, Any]:
    """The JSON object that a server answers a form with; redirects are not followed.

    Args:
        url: of https, or of http on this machine (:class:`~immure.console.settings.Settings` sees to it).
        form: what is sent.
        authorization: the value of that field, if there is one.

    Raises:
        KeySourceError: there is no answer in time.
        InputError: it is none of status 200, too long, or no JSON object.
    """
    status, body = _exchange(url, urlencode(form).encode(), authorization)
    if status != 200:
        raise InputError(f"answers with status {status}", path=url)
    if len(body) > _MOST_BYTES:
        raise InputError(f"answers with more than {_MOST_BYTES} bytes", path=url)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("answers with what is no JSON", path=url) from None
    if not isinstance(answer, dict):
        raise InputError("answers with what is no JSON object", path=url)
    return answer


def _exchange(url: str, body: bytes, authorization: str | None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "accept": "application/json",
        "user-agent": "immure",
    }
    if authorization is not None:
        headers["authorization"] = authorization
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(parts.netloc, timeout=_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS)
    # the timeout of a socket is for each byte; this one is for all of them
    timer = threading.Timer(_SECONDS, _cut, [connection])
    timer.daemon = True
    timer.start()
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection.request("POST", target, body, headers)
        response = connection.getresponse()
        return response.status, response.read(_MOST_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise KeySourceError(f"cannot be reached ({type(error).__name__})", path=url) from error
    finally:
        timer.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
