"""Any ASGI app behind a guard, whatever framework it is made with.

    app = Protect(app, Guard(validator, audience="https://mail.example"), public=["/health"])

Inside, ``claims(scope)`` and ``scopes(scope)`` say what the token says. Requests of HTTP and WebSocket
handshakes are guarded; whatever else a server may send, other than its start and stop, is refused.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from typing import Any, Final

from immure.errors import UsageError
from immure.integrations.address import address, encoded
from immure.integrations.admission import Admission, aadmit
from immure.integrations.bearer import Guard, Refusal, Request, metadata_path, scopes_of
from immure.integrations.client_cert import parse_client_cert
from immure.integrations.environ import der
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
#: The client's certificate (DER) of a connection, if it has shown one.
Certificate = Callable[[Scope], bytes | None]

_KEY: Final = "immure.admission"
_SCHEMES: Final = {"ws": "http", "wss": "https"}
#: Close code for a handshake that is refused, if the server cannot send an answer (RFC 6455, section 7.4.1).
POLICY_VIOLATION: Final = 1008


class Protect:
    """Middleware: nothing gets through without a good token.

    Args:
        app: what is protected.
        guard: looks at the tokens.
        scopes: that every request needs besides the guard's.
        public: paths that need no token, exactly as they are and with all methods.
        metadata: the document of :func:`~immure.integrations.metadata.protected_resource_metadata`, to be
            served at its path.
        certificate: where the client's certificate is from: :func:`tls_certificate` (by default),
            :func:`proxied_certificate`, or a function of yours.
    """

    def __init__(
        self,
        app: App,
        guard: Guard,
        scopes: Sequence[str] = (),
        *,
        public: Collection[str] = (),
        metadata: Mapping[str, Any] | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        if isinstance(public, str):
            raise UsageError("public is a list of paths, and not one path")
        self.app = app
        self.guard = guard
        self._scopes = checked_scopes(scopes)
        self._public = frozenset(public)
        self._metadata = {} if metadata is None else {metadata_path(metadata["resource"]): metadata}
        self._certificate = certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            if scope["type"] != "lifespan":
                raise UsageError(f"connections of type {scope['type']!a} cannot be protected")
            return await self.app(scope, receive, send)
        path = _path(scope)
        if scope["type"] == "http" and path in self._metadata:
            return await send_metadata(self._metadata[path], scope, send)
        if path not in self._public:
            try:
                found = await admit(self.guard, scope, self._scopes, self._certificate)
            except Refusal as answer:
                return await send_refusal(answer, scope, send)
            self.admitted(scope, found)
        await self.app(scope, receive, send)
        return None

    def admitted(self, scope: Scope, found: Claims) -> None:
        """For frameworks that want to know; does nothing here."""


async def admit(
    guard: Guard, scope: Scope, scopes: Sequence[str] = (), certificate: Certificate | None = None
) -> Claims:
    """Let a request in, or not. One that the same guard has let in is asked for more scopes only.

    Raises:
        Refusal: it is not let in.
    """
    admission = await aadmit(guard, request_of(scope, certificate), scopes, scope.get(_KEY))
    scope[_KEY] = admission
    return admission.claims


def claims(scope: Scope) -> Claims:
    """The claims of the token that came with this request.

    Raises:
        UsageError: nobody has looked at one.
    """
    admission: Admission | None = scope.get(_KEY)
    if admission is None:
        raise UsageError("this request is not protected: nobody looked at a token")
    return admission.claims


def scopes(scope: Scope) -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return scopes_of(claims(scope))


def request_of(scope: Scope, certificate: Certificate | None = None) -> Request:
    """What a guard wants to know of a connection."""
    method = scope.get("method", "GET")  # the handshake of a WebSocket is a GET
    authorization, proofs = _values(scope, b"authorization"), _values(scope, b"dpop")
    return Request(method, _url(scope), authorization, proofs, (certificate or tls_certificate)(scope))


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for other, value in scope["headers"] if other.lower() == name]


def tls_certificate(scope: Scope) -> bytes | None:
    """The client's certificate by the TLS extension of ASGI, if the server has it, and has verified it."""
    tls = (scope.get("extensions") or {}).get("tls") or {}
    chain = tls.get("client_cert_chain") or ()
    if not chain or tls.get("client_cert_error") is not None:
        return None
    return der(next(iter(chain)))


def proxied_certificate(scope: Scope) -> bytes | None:
    """The client's certificate by the ``Client-Cert`` field of a proxy; see :mod:`.client_cert` first."""
    return parse_client_cert(_values(scope, b"client-cert"))


async def send_refusal(answer: Refusal, scope: Scope, send: Send) -> None:
    """Send the answer; to the handshake of a WebSocket too, if the server can, and else close it."""
    if scope["type"] == "websocket" and not can_deny(scope):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    headers = [("Content-Type", answer.media_type), *answer.headers]
    await _send(answer.status, headers, answer.body(), scope, send)


def can_deny(scope: Scope) -> bool:
    """Whether the server can send an answer to the handshake of a WebSocket."""
    return "websocket.http.response" in (scope.get("extensions") or {})


async def send_metadata(document: Mapping[str, Any], scope: Scope, send: Send) -> None:
    """The metadata of the resource, to whoever asks, pages of other origins too: it is public."""
    if scope["method"] not in ("GET", "HEAD"):
        await _send(405, [("Allow", "GET, HEAD")], b"", scope, send)
        return
    headers = [("Content-Type", "application/json"), ("Access-Control-Allow-Origin", "*")]
    await _send(200, headers, json.dumps(dict(document)).encode(), scope, send)


async def _send(
    status: int, headers: Sequence[tuple[str, str]], body: bytes, scope: Scope, send: Send
) -> None:
    prefix = "websocket." if scope["type"] == "websocket" else ""
    raw = [(name.lower().encode(), value.encode("ascii")) for name, value in headers]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": raw})
    await send({"type": f"{prefix}http.response.body", "body": body})


def _path(scope: Scope) -> str:
    """The path as a router sees it: without that below which the app is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and f"{path}/".startswith(f"{root}/") else path


def _url(scope: Scope) -> str:
    hosts, server = _values(scope, b"host"), scope.get("server") or ("", None)
    named = "" if server[1] is None else f"{server[0]}:{server[1]}"  # a socket of this machine has no port
    host = named if not hosts else hosts[0] if len(hosts) == 1 else ""
    scheme, raw = str(scope.get("scheme") or "http"), scope.get("raw_path")
    path = raw.decode("latin-1") if raw else encoded(scope["path"])
    return address(_SCHEMES.get(scheme, scheme), host, path)
