"""Flask: a decorator for views, and a call that protects a whole application or blueprint.

    guard = Guard(Validator(policy), audience="https://mail.example")
    protect_all(app, guard)  # every view that is not marked @public

    @app.get("/outbox")
    @protect(guard, ["mail.send"])
    def outbox():
        return {"of": claims().subject}

Who is not let in gets the answer of RFC 6750, section 3; the view is not called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

import flask
from flask.sansio.scaffold import Scaffold

from immure.errors import UsageError
from immure.integrations import environ
from immure.integrations.address import address, encoded
from immure.integrations.admission import Admission, admit, asked_by, asks, is_public, public
from immure.integrations.bearer import Guard, Refusal, scopes_of
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

__all__ = ["claims", "protect", "protect_all", "proxied_certificate", "public", "scopes", "tls_certificate"]

View = Callable[..., Any]
#: The client's certificate (DER) of a request, if it has shown one.
Certificate = Callable[[flask.Request], bytes | None]

_KEY: Final = "immure_admission"


def protect(
    guard: Guard, scopes: Sequence[str] = (), *, certificate: Certificate | None = None
) -> Callable[[View], View]:
    """A decorator for a view, which goes below the one that names its route.

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
        def protected(*args: Any, **kwargs: Any) -> Any:
            answer = _enter(guard, asked, certificate)
            if answer is not None:
                return answer
            return flask.current_app.ensure_sync(view)(*args, **kwargs)

        asks(protected, guard, asked)
        return protected

    return decorated


def protect_all(
    app: Scaffold, guard: Guard, scopes: Sequence[str] = (), *, certificate: Certificate | None = None
) -> None:
    """Protect every view of an application or blueprint, unless it is marked with :func:`public`.

    An application's static files, and addresses that lead nowhere, are protected too. Flask's own answers to
    OPTIONS are not, as browsers ask with it, before they send a token, whether they may; no view is called.

    Raises:
        UsageError: these are no scopes.
    """
    asked = checked_scopes(scopes)

    def enter() -> flask.Response | None:
        view = flask.current_app.view_functions.get(flask.request.endpoint or "")
        if is_public(view) or _is_preflight():
            return None
        return _enter(guard, [*asked, *asked_by(view, guard)], certificate)

    app.before_request(enter)


def claims() -> Claims:
    """The claims of the token of the request that is being answered.

    Raises:
        UsageError: its view is not protected.
    """
    admission = _admission()
    if admission is None:
        raise UsageError("this view is not protected: nobody looked at a token")
    return admission.claims


def scopes() -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return scopes_of(claims())


def tls_certificate(request: flask.Request) -> bytes | None:
    """The client's certificate by WSGI's variable ``SSL_CLIENT_CERT``."""
    return environ.tls_certificate(request.environ)


def proxied_certificate(request: flask.Request) -> bytes | None:
    """The client's certificate by the field ``Client-Cert`` (RFC 9440) of a proxy, which must be trusted."""
    return environ.proxied_certificate(request.environ)


def _enter(guard: Guard, asked: Sequence[str], certificate: Certificate | None) -> flask.Response | None:
    request = flask.request
    shown = (certificate or tls_certificate)(request)
    where = address(request.scheme, request.host, encoded(request.root_path + request.path))
    came = environ.from_environ(request.environ, where, shown)
    try:
        setattr(request, _KEY, admit(guard, came, asked, _admission()))
    except Refusal as refusal:
        return flask.Response(
            refusal.body(), refusal.status, refusal.headers, content_type=refusal.media_type
        )
    return None


def _admission() -> Admission | None:
    """Kept with the request: ``flask.g`` may outlive it, if the program has pushed an application context."""
    found: Admission | None = getattr(flask.request, _KEY, None)
    return found


def _is_preflight() -> bool:
    rule = flask.request.url_rule
    return flask.request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
