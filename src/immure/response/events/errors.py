"""What can be wrong with an event, a stream, or what the other side answers."""

from __future__ import annotations

from typing import ClassVar

from immure.errors import InputError
from immure.introspection.errors import RequestError
from immure.response.errors import ResponseError


class EventError(ResponseError, InputError):
    """A security event token is refused.

    Attributes:
        err: as a receiver answers it (RFC 8935, section 2.4).
    """

    code = "event"
    err: ClassVar[str] = "invalid_request"


class EventFormError(EventError):
    """It is no SET, or not such as RFC 8417 and the Shared Signals Framework have it."""

    code = "event-form"


class EventKeyError(EventError):
    """Its signature does not hold, or it is of a key that is not the transmitter's."""

    code = "event-key"
    err = "invalid_key"


class EventIssuerError(EventError):
    """It is of another transmitter."""

    code = "event-issuer"
    err = "invalid_issuer"


class EventAudienceError(EventError):
    """It is for another receiver."""

    code = "event-audience"
    err = "invalid_audience"


class EventStoreError(ResponseError):
    """Events or streams cannot be kept."""

    code = "event-store"


class SendError(ResponseError):
    """Something could not be handed over: no connection, no answer in time, or not the one that is needed.

    Attributes:
        status: of the answer; None if there was none.
    """

    code = "send"

    def __init__(self, reason: str, *, path: str | None = None, status: int | None = None) -> None:
        super().__init__(reason, path=path)
        self.status = status


# --- what a transmitter or receiver answers ---


class UnknownReceiverError(RequestError):
    """The request has no bearer token that is known (RFC 6750)."""

    code = "event-receiver"
    status = 401
    error = "invalid_token"
    headers = ((b"www-authenticate", b'Bearer realm="immure events", error="invalid_token"'),)


class NoSuchStreamError(RequestError):
    """The receiver has no such stream."""

    code = "event-stream"
    status = 404
    error = "not_found"


class StreamConflictError(RequestError):
    """The receiver has as many streams as it may have."""

    code = "event-stream-conflict"
    status = 409
    error = "conflict"


class StreamFormError(RequestError):
    """What is asked of a stream cannot be done."""

    code = "event-stream-form"


class TooOftenError(RequestError):
    """A verification was asked for too soon after the last one."""

    code = "event-too-often"
    status = 429
    error = "too_many_requests"
    headers = ((b"retry-after", b"10"),)
