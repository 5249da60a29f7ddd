"""What is answered when there is no verdict; each with its status and the words of RFC 6749, section 5.2."""

from __future__ import annotations

from typing import ClassVar

from immure.errors import ImmureError


class ServeError(ImmureError):
    """The server cannot serve."""

    code = "serve"


class RequestError(ImmureError):
    """A request that is answered with an error and not with a verdict."""

    code = "request"
    status: ClassVar[int] = 400
    error: ClassVar[str] = "invalid_request"
    headers: ClassVar[tuple[tuple[bytes, bytes], ...]] = ()


class FormError(RequestError):
    """The body is not ``application/x-www-form-urlencoded`` as it should be."""

    code = "request-form"


class BodySizeError(RequestError):
    """The body is longer than what is taken; it was not read to its end."""

    code = "request-size"
    status = 413
    headers = ((b"connection", b"close"),)


class BrokenBodyError(RequestError):
    """The body did not come to its end: its sender went away."""

    code = "request-broken"
    headers = ((b"connection", b"close"),)


class MediaTypeError(RequestError):
    """The body is of another type."""

    code = "request-type"
    status = 415


class MethodError(RequestError):
    """The endpoint does not know the method."""

    code = "request-method"
    status = 405
    headers = ((b"allow", b"POST"),)


class ReadMethodError(MethodError):
    """As :class:`MethodError`, where one may only read."""

    headers = ((b"allow", b"GET, HEAD"),)


class NoSuchPageError(RequestError):
    """There is nothing at that path."""

    code = "request-path"
    status = 404
    error = "not_found"


class ClientError(RequestError):
    """Who asks is not one of the clients, or did not prove it (RFC 6749, section 5.2)."""

    code = "client"
    status = 401
    error = "invalid_client"
    headers = ((b"www-authenticate", b'Basic realm="immure introspection", charset="UTF-8"'),)


class UnavailableError(RequestError):
    """There is no verdict: keys cannot be had, or the log cannot be written."""

    code = "unavailable"
    status = 503
    error = "temporarily_unavailable"
    headers = ((b"retry-after", b"5"),)
