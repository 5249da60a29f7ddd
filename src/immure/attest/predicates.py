"""The predicates that are understood, by their types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from immure.attest.clearance import CLEARANCE, CLEARANCE_V1, Clearance
from immure.attest.reasons import Reason, refusal
from immure.attest.statement import Statement, parse_statement

#: What reads a predicate, by its type.
PREDICATES: Final[Mapping[str, type[Clearance]]] = {CLEARANCE_V1: Clearance}


class Payload(NamedTuple):
    """A statement, and its predicate as values."""

    statement: Statement
    clearance: Clearance


def read_payload(payload: bytes, predicate_types: Collection[str] = tuple(PREDICATES)) -> Payload:
    """The statement in the payload of an envelope, and what it says.

    Raises:
        AttestationError: it is no statement, its predicate is none of ``predicate_types`` or is malformed, or
            it has several subjects.
    """
    statement = parse_statement(payload)
    return Payload(statement, read_predicate(statement, predicate_types))


def read_predicate(statement: Statement, predicate_types: Collection[str] = tuple(PREDICATES)) -> Clearance:
    """What a statement says; raises as :func:`read_payload`."""
    kind = statement.predicate_type
    reader = PREDICATES.get(kind) if kind in predicate_types else None
    if reader is None:
        reason = Reason.PREDICATE_VERSION if kind.startswith(CLEARANCE) else Reason.PREDICATE_TYPE
        raise refusal(reason, repr(kind[:200]))
    if len(statement.subjects) != 1:
        raise refusal(Reason.PREDICATE, "a clearance has one subject")
    return reader.from_json(statement.predicate)
