"""Django: a middleware for a whole site, and a decorator for views; none blocks an event loop.

In the settings, and in ``mail/views.py``:

    MIDDLEWARE = ["immure.integrations.django.Protect"]  # every view that is not marked @public
    IMMURE_GUARD = "mail.doors.guard"  # a Guard

    @protect(guard, ["mail.send"])
    async def outbox(request):
        return JsonResponse({"of": claims(request).subject})

Who is not let in gets the answer of RFC 6750, section 3; the view is not called. ``request.user`` stays what
it is: who a token's subject is among the site's users is for the site to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.utils.module_loading import import_string

from immure.errors import UsageError
from immure.integrations import asgi, environ
from immure.integrations.address import address, encoded
from immure.integrations.admission import Admission, aadmit, admit, asked_by, asks, is_public, public
from immure.integrations.bearer import Guard, Refusal, Request, scopes_of
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

__all__ = ["Protect", "claims", "protect", "proxied_certificate", "public", "scopes", "tls_certificate"]

View = Callable[..., Any]
#: The client's certificate (DER) of a request, if it has shown one.
Certificate = Callable[[Any], bytes | None]


class Protect:
    """Protects every view of a site, unless it is marked with :func:`public`.

    Addresses that lead nowhere get Django's answer. A middleware that answers without a token, such as one
    for CORS, goes before it. Derive from it to set what the settings do not say.

    Attributes:
        guard: who lets in; the one of the settings, if it is None.
        scopes: that every request needs besides the guard's.
    """

    sync_capable = True
    async_capable = True
    guard: Guard | None = None
    scopes: Sequence[str] = ()

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response
        self._guard = self.guard or configured_guard()
        self._scopes = checked_scopes(self.scopes)
        waits = iscoroutinefunction(get_response)
        self.process_view: View = self._await_view if waits else self._view
        if waits:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """The answer to a request; what there is to do is done once Django knows the view."""
        return self._get_response(request)

    def certificate(self, request: Any) -> bytes | None:
        """The client's, DER; override it if it is from elsewhere than :func:`tls_certificate` says."""
        return tls_certificate(request)

    def _view(self, request: Any, view: View, args: Any, kwargs: Any) -> Any:
        if is_public(view):
            return None
        return _enter(self._guard, request, self._asked(view), self.certificate)

    async def _await_view(self, request: Any, view: View, args: Any, kwargs: Any) -> Any:
        if is_public(view):
            return None
        return await _await_enter(self._guard, request, self._asked(view), self.certificate)

    def _asked(self, view: View) -> list[str]:
        return [*self._scopes, *asked_by(view, self._guard)]


def protect(
    guard: Guard, scopes: Sequence[str] = (), *, certificate: Certificate | None = None
) -> Callable[[View], View]:
    """A decorator for a view, or for what ``as_view()`` of a class makes.

    Args:
        guard: who lets in.
        scopes: that the view needs besides the guard's.
        certificate: where the client's certificate is from; :func:`tls_certificate` by default.

    Raises:
        UsageError: these are no scopes.
    """
    asked = checked_scopes(scopes)

    def decorated(view: View) -> View:
        @wraps(view)
        def protected(request: Any, *args: Any, **kwargs: Any) -> Any:
            answer = _enter(guard, request, asked, certificate)
            return view(request, *args, **kwargs) if answer is None else answer

        @wraps(view)
        async def waiting(request: Any, *args: Any, **kwargs: Any) -> Any:
            answer = await _await_enter(guard, request, asked, certificate)
            return await view(request, *args, **kwargs) if answer is None else answer

        made = waiting if iscoroutinefunction(view) else protected
        asks(made, guard, asked)
        return made

    return decorated


def claims(request: Any) -> Claims:
    """The claims of the request's token; also of a request of Django REST framework.

    Raises:
        UsageError: its view is not protected.
    """
    admission = admission_of(request)
    if admission is None:
        raise UsageError("this view is not protected: nobody looked at a token")
    return admission.claims


def scopes(request: Any) -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return scopes_of(claims(request))


def tls_certificate(request: Any) -> bytes | None:
    """The client's certificate by ASGI's TLS extension, or by WSGI's variable ``SSL_CLIENT_CERT``."""
    scope = getattr(request, "scope", None)
    return environ.tls_certificate(request.META) if scope is None else asgi.tls_certificate(scope)


def proxied_certificate(request: Any) -> bytes | None:
    """The client's certificate by the field ``Client-Cert`` (RFC 9440) of a proxy, which must be trusted."""
    return environ.proxied_certificate(request.META)


def configured_guard() -> Guard:
    """The guard that the setting ``IMMURE_GUARD`` is, or says where to find; raises ImproperlyConfigured."""
    value = getattr(settings, "IMMURE_GUARD", None)
    guard = import_string(value) if isinstance(value, str) else value
    if not isinstance(guard, Guard):
        raise ImproperlyConfigured("the setting IMMURE_GUARD must be a Guard, or the dotted path of one")
    return guard


def admission_of(request: Any) -> Admission | None:
    """What is remembered of a request that was let in."""
    found: Admission | None = getattr(request, "immure_admission", None)
    return found


def enter(guard: Guard, request: Any, asked: Sequence[str], certificate: Certificate | None) -> Admission:
    """Let a request in; raises Refusal."""
    _must_not_block()
    found = admit(guard, _came(request, certificate), asked, admission_of(request))
    request.immure_admission = found
    return found


def _enter(guard: Guard, request: Any, asked: Sequence[str], certificate: Certificate | None) -> Any:
    try:
        enter(guard, request, asked, certificate)
    except Refusal as refusal:
        return _response(refusal)
    return None


async def _await_enter(
    guard: Guard, request: Any, asked: Sequence[str], certificate: Certificate | None
) -> Any:
    came = _came(request, certificate)
    try:
        request.immure_admission = await aadmit(guard, came, asked, admission_of(request))
    except Refusal as refusal:
        return _response(refusal)
    return None


def _came(request: Any, certificate: Certificate | None) -> Request:
    shown = (certificate or tls_certificate)(request)
    where = address(request.scheme, request.get_host(), encoded(request.path))
    return environ.from_environ(request.META, where, shown)


def _response(refusal: Refusal) -> Any:
    headers = dict(refusal.headers)
    return HttpResponse(
        refusal.body(), status=refusal.status, headers=headers, content_type=refusal.media_type
    )


def _must_not_block() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError("a view that is called in an event loop is protected as a coroutine: decorate as_view()")
