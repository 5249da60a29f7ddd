"""aiohttp: a middleware for a whole application, and a decorator for handlers.

    guard = Guard(Validator(policy), audience="https://mail.example")
    app = web.Application(middlewares=[protect_all(guard)])  # every handler that is not marked @public

    @routes.get("/outbox")
    @protect(guard, ["mail.send"])
    async def outbox(request):
        return web.json_response({"of": claims(request).subject})

Who is not let in gets the answer of RFC 6750, section 3; the handler is not called.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from immure.errors import UsageError
from immure.integrations.address import address
from immure.integrations.admission import Admission, aadmit, asked_by, asks, is_public, public
from immure.integrations.bearer import Guard, Refusal, Request, scopes_of
from immure.integrations.client_cert import parse_client_cert
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

__all__ = ["claims", "protect", "protect_all", "proxied_certificate", "public", "scopes", "tls_certificate"]

Handler = Callable[..., Awaitable[web.StreamResponse]]
#: The client's certificate (DER) of a request, if it has shown one.
Certificate = Callable[[web.Request], bytes | None]
#: Where the admission is kept. Before aiohttp 3.14 keys of requests were texts.
_KEY: Final[Any] = web.RequestKey("immure", Admission) if hasattr(web, "RequestKey") else "immure"


def protect(
    guard: Guard, scopes: Sequence[str] = (), *, certificate: Certificate | None = None
) -> Callable[[Handler], Handler]:
    """A decorator for a handler: a function, or a method of an object or of a ``web.View``.

    Args:
        guard: who lets in.
        scopes: that the handler needs besides the guard's.
        certificate: where the client's certificate is from; :func:`tls_certificate` by default.

    Raises:
        UsageError: these are no scopes.
    """
    asked = checked_scopes(scopes)

    def decorated(handler: Handler) -> Handler:
        @wraps(handler)
        async def protected(*args: Any) -> web.StreamResponse:
            request = args[-1].request if isinstance(args[-1], web.View) else args[-1]
            answer = await _enter(guard, request, asked, certificate)
            return await handler(*args) if answer is None else answer

        asks(protected, guard, asked)
        return protected

    return decorated


def protect_all(
    guard: Guard, scopes: Sequence[str] = (), *, certificate: Certificate | None = None
) -> Middleware:
    """A middleware that protects every handler, unless it is marked with :func:`public`.

    Addresses that lead nowhere are protected too. A middleware that answers without a token, such as one for
    CORS, goes before it.

    Raises:
        UsageError: these are no scopes.
    """
    asked = checked_scopes(scopes)

    @web.middleware
    async def protecting(request: web.Request, handler: Handler) -> web.StreamResponse:
        leads_to = request.match_info.handler
        if not is_public(leads_to):
            answer = await _enter(guard, request, [*asked, *asked_by(leads_to, guard)], certificate)
            if answer is not None:
                return answer
        return await handler(request)

    return protecting


def claims(request: web.Request) -> Claims:
    """The claims of the request's token.

    Raises:
        UsageError: its handler is not protected.
    """
    admission: Admission | None = request.get(_KEY)
    if admission is None:
        raise UsageError("this handler is not protected: nobody looked at a token")
    return admission.claims


def scopes(request: web.Request) -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return scopes_of(claims(request))


def tls_certificate(request: web.Request) -> bytes | None:
    """The client's certificate by its TLS connection to us, which was verified when it was made."""
    tls = request.get_extra_info("ssl_object")
    return tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject | ssl.SSLSocket) else None


def proxied_certificate(request: web.Request) -> bytes | None:
    """The client's certificate by the field ``Client-Cert`` (RFC 9440) of a proxy, which must be trusted."""
    return parse_client_cert(request.headers.getall("Client-Cert", []))


async def _enter(
    guard: Guard, request: web.Request, asked: Sequence[str], certificate: Certificate | None
) -> web.Response | None:
    came = _came(request, (certificate or tls_certificate)(request))
    try:
        request[_KEY] = await aadmit(guard, came, asked, request.get(_KEY))
    except Refusal as refusal:
        return web.Response(
            body=refusal.body(),
            status=refusal.status,
            headers=dict(refusal.headers),
            content_type=refusal.media_type,
        )
    return None


def _came(request: web.Request, certificate: bytes | None) -> Request:
    where = address(request.scheme, request.host, request.rel_url.raw_path)
    authorization, dpop = (request.headers.getall(name, []) for name in ("Authorization", "DPoP"))
    return Request(request.method, where, authorization, dpop, certificate)
