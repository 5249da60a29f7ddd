"""What the room knows: people, keys, requests, grants, sessions, certificates. Values, frozen.

Times are UTC, to the second. Each has a plain form (:func:`to_plain`, :func:`from_plain`), in which the
database has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, TypeVar

from immure.access.errors import AccessError
from immure.access.texts import moment, spelled
from immure.auditlog import JSON
from immure.errors import InputError

R = TypeVar("R", bound="Record")


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the database. ``id`` is unique among those of its kind, ``about`` is what they are looked up
    by."""

    KIND: ClassVar[str] = ""
    ABOUT: ClassVar[str] = "id"
    id: str
    state: str

    @property
    def about(self) -> str:
        """The value by which records of the kind are looked up."""
        return str(getattr(self, self.ABOUT))


@dataclass(frozen=True, slots=True)
class Person(Record):
    """An account of the room, which is ``id``, and the human being that it belongs to.

    Attributes:
        state: ``founder`` (before the room is open), ``active``, ``suspended``, ``left``.
        person: what whoever screens calls the human being; never two accounts that are not left.
        handle: the user handle of WebAuthn, random (base64url).
        roles: what the policy knows them as.
        attester, level, screened, expires, reference: the screening record: who attested it, to what level,
            when, until when, and where its results are; never the results.
    """

    KIND: ClassVar[str] = "person"
    ABOUT: ClassVar[str] = "person"
    person: str
    handle: str
    roles: tuple[str, ...]
    attester: str
    level: str
    screened: datetime
    expires: datetime
    reference: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HardwareKey(Record):
    """A credential on a hardware key; ``id`` is the credential's (base64url).

    Attributes:
        state: ``proposed``, ``active``, ``suspect`` (its counter went back), ``lost``, ``retired``.
        account: whose it is.
        request: with which it came in.
        cose: the public key (base64url).
        fingerprint: of the public key.
        aaguid, model, attestation, root: what vouches for it.
        unique: whether ``attestation`` is of this piece of hardware only.
        counter: signatures, as of the last one seen.
    """

    KIND: ClassVar[str] = "key"
    ABOUT: ClassVar[str] = "account"
    account: str
    request: str
    cose: str
    fingerprint: str
    aaguid: str
    model: str
    attestation: str
    root: str
    unique: bool
    counter: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Request(Record):
    """Something that others must approve.

    Attributes:
        state: ``keys`` (hardware keys are still to be registered), ``open``, ``done``, ``denied``.
        kind: ``grant``, ``enrol``, ``key``, ``screening``, ``workstation``, ``reinstate``, ``policy``.
        account, person, credential: who asks, with which key.
        subject: for what; members by kind.
        needed, level, roles: how many must approve, screened to what level, with one of which roles.
        created, expires: when it was made, and until when it can be approved.
    """

    KIND: ClassVar[str] = "request"
    ABOUT: ClassVar[str] = "account"
    kind: str
    account: str
    person: str
    credential: str
    subject: Mapping[str, JSON]
    needed: int
    level: str
    roles: tuple[str, ...]
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Approval(Record):
    """That somebody has approved a request; ``state`` is ``given`` or ``void``."""

    KIND: ClassVar[str] = "approval"
    ABOUT: ClassVar[str] = "request"
    request: str
    account: str
    person: str
    credential: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Grant(Record):
    """That a person may do something for a time; ``id`` is that of the request.

    Attributes:
        state: ``granted``, ``revoked``, ``closed``. One that has ended by itself stays ``granted``.
        account, person: who may.
        resource, actions: do what.
        purpose, ticket: why.
        begins, ends: from when, until when.
        approvers: accounts; none for break-glass.
        credentials: that were used to ask and to approve.
        glass: whether somebody broke the glass.
        reviews: accounts that have reviewed that.
        verdict: of the review: ``justified``, ``not-justified``, or nothing yet.
        reason: why it was revoked or closed.
    """

    KIND: ClassVar[str] = "grant"
    ABOUT: ClassVar[str] = "account"
    account: str
    person: str
    resource: str
    actions: tuple[str, ...]
    purpose: str
    ticket: str
    begins: datetime
    ends: datetime
    approvers: tuple[str, ...]
    credentials: tuple[str, ...]
    glass: bool
    reviews: tuple[str, ...]
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Session(Record):
    """That a person is in, or (``grant`` is empty) has signed in to look; ``state``: ``open`` or ``ended``.
    ``secret`` is the SHA-256 of what the session is known by, ``workstation`` the SHA-256 of the certificate
    that it is bound to."""

    KIND: ClassVar[str] = "session"
    ABOUT: ClassVar[str] = "secret"
    secret: str
    grant: str
    account: str
    workstation: str
    credential: str
    begins: datetime
    ends: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Certificate(Record):
    """A certificate that was issued on a grant; ``state`` is ``issued`` or ``revoked``. ``serial`` is that of
    the adapter that issued it (``kind``: ``ssh``, for instance)."""

    KIND: ClassVar[str] = "certificate"
    ABOUT: ClassVar[str] = "grant"
    grant: str
    account: str
    kind: str
    serial: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Workstation(Record):
    """A workstation's certificate; ``id`` is its SHA-256, ``state`` is ``active`` or ``retired``."""

    KIND: ClassVar[str] = "workstation"
    ABOUT: ClassVar[str] = "account"
    account: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class WorkstationKey(Record):
    """Where the key of a workstation is; ``id`` is that of the workstation, ``state`` is ``tpm`` (proven) or
    ``software``. ``endorsement`` is the SHA-256 of the certificate of the TPM, ``model`` its name for it."""

    KIND: ClassVar[str] = "workstation-key"
    ABOUT: ClassVar[str] = "endorsement"
    endorsement: str
    model: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Fact(Record):
    """Anything of which there is one: the policy in force, the metadata of models, that the room is open."""

    KIND: ClassVar[str] = "fact"
    body: Mapping[str, JSON]


def to_plain(record: Record) -> dict[str, JSON]:
    """The members of a record as JSON."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def from_plain(kind: type[R], members: Mapping[str, Any]) -> R:
    """The record that :func:`to_plain` has made members of; raises AccessError."""
    hints: dict[str, str] = _hints(kind)  # type: ignore[arg-type, unused-ignore]
    try:
        if set(members) != set(hints):
            raise AccessError(f"a {kind.KIND} with other members than it should have")
        return kind(**{name: _value(hints[name], value) for name, value in members.items()})
    except (TypeError, InputError) as error:
        raise AccessError(f"a {kind.KIND} that cannot be read") from error


@cache
def _hints(kind: Any) -> dict[str, str]:
    """The type of each member, as it is written above."""
    return {field.name: str(field.type) for field in fields(kind)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return spelled(value)
    return list(value) if isinstance(value, tuple) else value


def _value(hint: str, value: Any) -> Any:
    if hint == "datetime":
        return moment(value)
    if hint == "tuple[str, ...]":
        return tuple(str(one) for one in value)
    return value
