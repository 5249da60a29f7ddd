"""A stream: what a receiver gets, and how (OpenID Shared Signals Framework 1.0, section 8.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import split_url
from immure.response.events.errors import StreamFormError
from immure.response.events.kinds import OFFERED

Status = Literal["enabled", "paused", "disabled"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
#: How events are delivered: POST to the receiver (RFC 8935), or fetched by it (RFC 8936).
PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
METHODS: Final = (PUSH, POLL)
#: Seconds that a receiver waits between two verifications.
VERIFY_EVERY: Final = 10
_MOST_TEXT: Final = 2048
_MOST_KINDS: Final = 100
#: Members that a receiver writes; the transmitter's own are ignored if they are as they were.
_WRITTEN: Final = {"delivery", "events_requested", "description"}
_OWN: Final = {
    "stream_id", "iss", "aud", "events_supported", "events_delivered", "min_verification_interval",
    "inactivity_timeout",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream.

    Attributes:
        id: its name, which nobody can guess.
        receiver: whose it is.
        audience: ``aud`` of its tokens.
        method: :data:`PUSH` or :data:`POLL`.
        endpoint: where events are pushed to; "" for one that is polled.
        authorization: value of the header of that name for pushes; "" sends none.
        requested: kinds of events that the receiver asked for; None means all.
        description: the receiver's own words.
        status: enabled; paused: events wait; disabled: there are none.
        reason: of the status.
    """

    id: str
    receiver: str
    audience: str
    method: str = POLL
    endpoint: str = ""
    authorization: str = field(default="", repr=False)
    requested: tuple[str, ...] | None = None
    description: str = ""
    status: Status = "enabled"
    reason: str = ""

    @property
    def delivered(self) -> tuple[str, ...]:
        """Kinds of events that it gets."""
        return OFFERED if self.requested is None else tuple(one for one in OFFERED if one in self.requested)

    def plain(self, issuer: str, poll: str) -> dict[str, Any]:
        """As its receiver sees it; what it authorizes pushes with is not shown.

        Args:
            issuer: the transmitter.
            poll: where events are polled.
        """
        endpoint = self.endpoint if self.method == PUSH else poll
        made: dict[str, Any] = {
            "stream_id": self.id,
            "iss": issuer,
            "aud": self.audience,
            "events_supported": list(OFFERED),
            "events_delivered": list(self.delivered),
            "delivery": {"method": self.method, "endpoint_url": endpoint},
            "min_verification_interval": VERIFY_EVERY,
        }
        if self.requested is not None:
            made["events_requested"] = list(self.requested)
        return made | ({"description": self.description} if self.description else {})


def configured(stream: Stream, asked: Mapping[str, Any], *, whole: bool, loopback: bool = False) -> Stream:
    """A stream as its receiver wants it.

    Args:
        stream: as it is.
        asked: what the receiver wrote.
        whole: what it did not write is as if it had never been; else it stays.
        loopback: events may be pushed to this machine.

    Raises:
        StreamFormError: that cannot be.
    """
    unknown = asked.keys() - _WRITTEN - _OWN
    if unknown:
        raise StreamFormError(f"{min(unknown)[:40]!a} is not known")
    if asked.get("stream_id", stream.id) != stream.id:
        raise StreamFormError("stream_id is another one")
    if whole:
        stream = replace(stream, method=POLL, endpoint="", authorization="", requested=None, description="")
    if "delivery" in asked:
        stream = _delivered(stream, asked["delivery"], loopback)
    if "events_requested" in asked:
        stream = replace(stream, requested=_kinds(asked["events_requested"]))
    if "description" in asked:
        stream = replace(stream, description=_text(asked["description"], "description"))
    return stream


def _delivered(stream: Stream, value: Any, loopback: bool) -> Stream:
    if not isinstance(value, dict) or value.get("method") not in METHODS:
        raise StreamFormError(f"delivery.method is one of {', '.join(METHODS)}")
    if value["method"] == POLL:
        return replace(stream, method=POLL, endpoint="", authorization="")
    url = _text(value.get("endpoint_url"), "delivery.endpoint_url")
    try:
        split_url(url, allow_loopback=loopback)
    except KeySourceError as error:
        raise StreamFormError(f"delivery.endpoint_url: {error.reason}") from None
    header = value.get("authorization_header", "")
    if header:
        _text(header, "delivery.authorization_header")
        if not header.isascii() or not header.isprintable():
            raise StreamFormError("delivery.authorization_header cannot be sent")
    return replace(stream, method=PUSH, endpoint=url, authorization=header)


def _kinds(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_KINDS:
        raise StreamFormError(f"events_requested is not a list of {_MOST_KINDS} at most")
    return tuple(_text(one, "events_requested") for one in value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        raise StreamFormError(f"{name} is not a text of up to {_MOST_TEXT} characters")
    return value
