"""Entries of the timeline as the log keeps them.

In the log, the kind of an entry is ``incident.`` and its kind in the timeline, and its body an object of
``actor``, ``body``, ``confidence``, ``corrects`` and ``source``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.auditlog import Entry as Line
from immure.auditlog.canonical import canonical
from immure.errors import LogError
from immure.response.errors import FormError, IncidentError
from immure.response.timeline import KINDS, Confidence, Entry, JsonValue

PREFIX: Final = "incident."
MOST_ACTOR: Final = 200
MOST_SOURCE: Final = 2000
#: The longest body, as canonical JSON. What is longer is evidence, and belongs into a file.
MOST_BODY: Final = 256 << 10
_MEMBERS: Final = {"actor", "body", "confidence", "corrects", "source"}


def check_form(kind: str, body: Mapping[str, JsonValue], actor: str, source: str | None) -> None:
    """See that an entry can be written; raises FormError."""
    if kind not in KINDS:
        raise FormError(f"no kind of entry: {kind[:40]!a}; kinds are {', '.join(KINDS)}")
    if not actor or not actor.isprintable() or len(actor) > MOST_ACTOR:
        raise FormError(f"who says it is named in a line of up to {MOST_ACTOR} characters")
    if source is not None and (not source or not source.isprintable() or len(source) > MOST_SOURCE):
        raise FormError(f"a source is a line of up to {MOST_SOURCE} characters")
    try:
        length = len(canonical(body))
    except LogError as error:
        raise FormError(f"the body of an entry: {error.reason}") from error
    if length > MOST_BODY:
        raise FormError(f"a body of {length:,} bytes; there may be {MOST_BODY:,}: keep it as evidence")


def to_log(
    body: Mapping[str, JsonValue],
    actor: str,
    source: str | None,
    confidence: Confidence,
    corrects: int | None,
) -> dict[str, JsonValue]:
    """The body of the log's entry."""
    return {
        "actor": actor,
        "body": body,
        "confidence": confidence.value,
        "corrects": corrects,
        "source": source,
    }


def from_log(line: Line, *, path: str) -> Entry:
    """The entry that a line of the log is.

    Raises:
        IncidentError: it is none.
    """
    kind, members = line.kind.removeprefix(PREFIX), line.body
    if not line.kind.startswith(PREFIX) or kind not in KINDS or set(members) != _MEMBERS:
        raise IncidentError(f"entry {line.index} is none of an incident", path=path)
    actor, body, source = members["actor"], members["body"], members["source"]
    corrects = members["corrects"]
    if not isinstance(actor, str) or not isinstance(body, Mapping):
        raise IncidentError(f"entry {line.index} says nothing, or nobody says it", path=path)
    if not (source is None or isinstance(source, str)):
        raise IncidentError(f"entry {line.index} has a source that is no text", path=path)
    if corrects is not None and (isinstance(corrects, bool) or not isinstance(corrects, int)):
        raise IncidentError(f"entry {line.index} corrects what is no entry", path=path)
    if corrects is not None and not 0 <= corrects < line.index:
        raise IncidentError(
            f"entry {line.index} corrects entry {corrects}, which is not before it", path=path
        )
    try:
        sure = Confidence(str(members["confidence"]))
    except ValueError:
        raise IncidentError(f"entry {line.index} does not say how sure it is", path=path) from None
    return Entry(line.index, int(line.time.timestamp()), kind, actor, body, source, sure, corrects)
