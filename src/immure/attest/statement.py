"""The in-toto Statement, version 1: a claim of a stated type about files that are known by their digests.

>>> subject = Subject("app.core", "0" * 64)
>>> statement = Statement((subject,), "https://example.com/claim/v1", {"good": True})
>>> parse_statement(statement.to_bytes()) == statement
True

As the specification has it, members of a statement or subject that are not known are passed over, and so are
digests by other algorithms; a predicate has its own rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple

from immure.attest.fields import Fields
from immure.attest.reasons import Reason, refusal
from immure.attest.strict_json import parse_json, to_json
from immure.errors import AttestationError, InputError

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
MAX_SUBJECTS: Final = 1000
_PIECE: Final = 1 << 20


class Digest(NamedTuple):
    """A file by its bytes: SHA-256 in lower-case hexadecimal digits, and length."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A file that a statement is about. Its name is for people: what counts is the digest."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said (``predicate``, a JSON object of the type ``predicate_type``) of some files."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The statement as JSON has it."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": one.name, "digest": {"sha256": one.sha256}} for one in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": dict(self.predicate),
        }

    def to_bytes(self) -> bytes:
        """The statement as the bytes that are signed."""
        return to_json(self.to_json())


def parse_statement(payload: bytes) -> Statement:
    """The statement in the payload of an envelope.

    Raises:
        AttestationError: it is none, has no subject, or one without a SHA-256 digest.
    """
    return read_statement(parse_json(payload))


def read_statement(value: object) -> Statement:
    """As :func:`parse_statement`, of decoded JSON."""
    fields = Fields(value, "", Reason.NOT_STATEMENT)
    if fields.take("_type") != STATEMENT_TYPE:
        raise fields.error("_type", f"is not {STATEMENT_TYPE}")
    listed = fields.take("subject")
    if not isinstance(listed, list) or not listed:
        raise refusal(Reason.NO_SUBJECT)
    if len(listed) > MAX_SUBJECTS:
        raise fields.error("subject", f"is not a list of at most {MAX_SUBJECTS} elements")
    subjects = tuple(_subject(one, f"subject[{number}]") for number, one in enumerate(listed))
    predicate_type = fields.text("predicateType")
    predicate = fields.take("predicate")
    if not isinstance(predicate, dict):
        raise fields.error("predicate", "is not an object")
    return Statement(subjects, predicate_type, predicate)


def _subject(value: object, where: str) -> Subject:
    fields = Fields(value, where, Reason.NOT_STATEMENT)
    name = fields.text("name", least=0) if fields.has("name") else ""
    if not fields.has("digest"):
        raise refusal(Reason.SUBJECT_DIGEST, where)
    try:
        return Subject(name, Fields(fields.take("digest"), where, Reason.SUBJECT_DIGEST).digest("sha256"))
    except AttestationError:  # whatever is wrong with it, there is no such digest
        raise refusal(Reason.SUBJECT_DIGEST, where) from None


def digest_of(stream: BinaryIO, path: str) -> Digest:
    """The digest of all bytes of an open file; it is left at its beginning. ``path`` is for messages.

    Raises:
        InputError: it cannot be read.
    """
    state, size = hashlib.sha256(), 0
    try:
        stream.seek(0)
        while piece := stream.read(_PIECE):
            state.update(piece)
            size += len(piece)
        stream.seek(0)
    except (OSError, ValueError) as error:  # ValueError: a closed file
        raise InputError(getattr(error, "strerror", None) or "cannot be read", path=path) from error
    return Digest(state.hexdigest(), size)
