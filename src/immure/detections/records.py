"""The records that every source is brought to, and from which every rule reads: four kinds, and what was not
understood.

A kind is one table with the columns of :func:`schema`; what a source does not say is null, never an empty
text and never a guess. Times are UTC. Rules get Arrow, since millions of rows pass; the structs here are
the same rows for code that makes or wants them one at a time.

>>> row = SignIn(time=1_795_608_000_000_000, source="okta", record_id="1", user="ada@example.com")
>>> row.succeeded is None
True

:func:`schema` and :func:`batch_of` need pyarrow (``pip install 'immure[detect]'``), nothing else here does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import msgspec

if TYPE_CHECKING:
    import pyarrow

Kind = Literal["acceptance", "issued", "mail", "signin"]
Sort = Literal["text", "number", "flag", "list", "time", "bytes"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A token that somebody accepted or refused.

    Attributes:
        time: when it was decided, microseconds since 1970 (UTC).
        source, record_id: which source, and the record's own name there: two rows of one record have the same
            ``record_id``, also if they came in different shapes.
        verdict: ``accepted`` or ``refused``.
        rule: why it was refused.
        digest: :func:`immure.digest.signed_digest`, 16 bytes; None where only identifiers are logged.
        token_id: ``uti``, ``jti`` or linkable token identifier (see ``sources/token_ids.py``).
        session: identifier of the session.
        iss, kid, sub, tenant, aud, client: as the claims of these names; ``client`` is ``client_id``,
            ``azp``, ``appid`` or ``cid``.
        iat, exp: whole seconds since 1970, rounded down.
        thumbprint: RFC 7638 thumbprint of the key that signed.
        relying_party, channel, ip: who decided, by which way, for whom.
    """

    time: int
    source: str
    record_id: str
    verdict: str
    rule: str | None = None
    digest: bytes | None = None
    token_id: str | None = None
    session: str | None = None
    iss: str | None = None
    kid: str | None = None
    sub: str | None = None
    tenant: str | None = None
    aud: list[str] | None = None
    client: str | None = None
    iat: int | None = None
    exp: int | None = None
    thumbprint: str | None = None
    relying_party: str | None = None
    channel: str | None = None
    ip: str | None = None


class Issued(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of the issuance ledger, with the columns of its segments (docs/reference/issuance-ledger.md).

    Attributes:
        seq: number of the row, from 1, without gaps within an issuer.
        digest, iss, kid, sub, aud, tenant, client, iat, exp, session: as in the ledger; a text is "" where
            the token says nothing.
    """

    seq: int
    digest: bytes
    iss: str
    kid: str
    sub: str
    aud: list[str]
    tenant: str
    client: str
    iat: int
    exp: int
    session: str


class MailAccess(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something done to a mailbox.

    Attributes:
        time, source, record_id: as of :class:`Acceptance`.
        operation: the log's own word: ``MailItemsAccessed``, ``Send``, ``HardDelete``, ``FETCH`` …
        action: ``bind`` (single messages, which are named), ``sync`` (assume the whole folder), or None.
        count: operations that the record stands for; None if it does not say.
        mailbox, mailbox_id: address, and identifier that does not change.
        tenant: whose mailbox.
        token_tenant: tenant that the token was of, where the log says so.
        user, user_id: who did it.
        logon: ``owner``, ``admin`` or ``delegate``.
        external: done by somebody from outside of the organisation.
        folders: paths of folders (an identifier where there is no path).
        messages: RFC 5322 Message-IDs (an identifier of the log where there is none).
        app: AppId, to whom the token was issued.
        client_app: ClientAppId.
        client_info: what the client says of itself.
        ip: address without port and brackets.
        session, token_id, digest: of the token, as of :class:`Acceptance`.
        token_iat: when the token was issued, whole seconds since 1970.
        throttled: True if the log says that it stopped logging this mailbox: what follows is unknown.
        succeeded: False if the log says that it failed.
    """

    time: int
    source: str
    record_id: str
    operation: str
    action: str | None = None
    count: int | None = None
    mailbox: str | None = None
    mailbox_id: str | None = None
    tenant: str | None = None
    token_tenant: str | None = None
    user: str | None = None
    user_id: str | None = None
    logon: str | None = None
    external: bool | None = None
    folders: list[str] | None = None
    messages: list[str] | None = None
    app: str | None = None
    client_app: str | None = None
    client_info: str | None = None
    ip: str | None = None
    session: str | None = None
    token_id: str | None = None
    digest: bytes | None = None
    token_iat: int | None = None
    throttled: bool | None = None
    succeeded: bool | None = None


class SignIn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an issuer says of itself in a log that is not our ledger: a sign-in, or a token that it gave out.

    Attributes:
        time, source, record_id: as of :class:`Acceptance`.
        event: ``sign-in``, ``token-issued``, ``credential-validated``, ``grant`` (somebody allowed a client).
        flow: the log's own word for its kind: ``interactiveUser``, ``servicePrincipal``, ``1200`` …
        user, user_id: who.
        tenant, resource_tenant: of whom, and whose resource.
        app, app_name: client, by identifier and name.
        resource, resource_name: for which the token is.
        ip, user_agent: from where.
        token_id: unique token identifier, as of :class:`Acceptance`.
        token_type: kind of the token that came in (``incomingTokenType``).
        session: identifier of the session.
        correlation: of the request.
        succeeded: whether it worked; None if the log does not say.
        error: the log's code of the failure.
    """

    time: int
    source: str
    record_id: str
    event: str = "sign-in"
    flow: str | None = None
    user: str | None = None
    user_id: str | None = None
    tenant: str | None = None
    resource_tenant: str | None = None
    app: str | None = None
    app_name: str | None = None
    resource: str | None = None
    resource_name: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    token_id: str | None = None
    token_type: str | None = None
    session: str | None = None
    correlation: str | None = None
    succeeded: bool | None = None
    error: str | None = None


class NotUnderstood(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something in a source that no rule sees, or not whole; it is counted and shown, never dropped.

    Attributes:
        source: name of the source.
        file: the file.
        offset: byte offset of the first of them in the file, decompressed.
        line: line (or record) of the first of them, from 1; 0 if unknown.
        reason: stable code, see docs/reference/detection-records.md.
        what: name of a field or an operation, cut and printable; empty if there is none.
        count: how many records.
        lost: whether these records are missing from the tables. If not, only ``what`` is.
    """

    source: str
    file: str
    offset: int
    line: int
    reason: str
    what: str = ""
    count: int = 1
    lost: bool = True


Record: TypeAlias = Acceptance | Issued | MailAccess | SignIn

STRUCTS: Final[dict[Kind, type[Any]]] = {
    "acceptance": Acceptance,
    "issued": Issued,
    "mail": MailAccess,
    "signin": SignIn,
}
_FLAGS: Final = frozenset({"external", "succeeded", "throttled"})
_NUMBERS: Final = frozenset({"seq", "iat", "exp", "count", "token_iat", "offset", "line"})
_LISTS: Final = frozenset({"aud", "folders", "messages"})


def kind_of(record: Record) -> Kind:
    """The kind of a record."""
    return next(kind for kind, struct in STRUCTS.items() if type(record) is struct)


def columns(kind: Kind) -> tuple[str, ...]:
    """Names of the columns of a kind, in order: those of its struct."""
    return tuple(STRUCTS[kind].__struct_fields__)


def sort_of(name: str) -> Sort:
    """What a column holds, in any kind of records."""
    if name in ("time", "digest"):
        return "time" if name == "time" else "bytes"
    return (
        "flag" if name in _FLAGS else "number" if name in _NUMBERS else "list" if name in _LISTS else "text"
    )


def schema(kind: Kind) -> pyarrow.Schema:
    """The Arrow schema of a kind.

    ``time`` is ``timestamp[us, UTC]``, ``digest`` 16 bytes, numbers ``int64``, flags ``bool``, ``aud``,
    ``folders`` and ``messages`` lists of text, all else text. Columns without a default in the struct are
    never null.
    """
    import pyarrow

    types = {
        "time": pyarrow.timestamp("us", tz="UTC"),
        "digest": pyarrow.binary(16),
        **dict.fromkeys(_FLAGS, pyarrow.bool_()),
        **dict.fromkeys(_NUMBERS, pyarrow.int64()),
        **dict.fromkeys(_LISTS, pyarrow.list_(pyarrow.string())),
    }
    struct = STRUCTS[kind]
    optional = len(struct.__struct_fields__) - len(struct.__struct_defaults__)
    return pyarrow.schema(
        [
            pyarrow.field(name, types.get(name, pyarrow.string()), nullable=place >= optional)
            for place, name in enumerate(struct.__struct_fields__)
        ]
    )


def batch_of(kind: Kind, rows: Sequence[Any]) -> pyarrow.RecordBatch:
    """Rows of one kind (the structs of this module) as an Arrow record batch.

    Raises:
        TypeError, pyarrow.ArrowInvalid: a row is of another kind, or a value is not what the struct says.
    """
    import pyarrow

    wanted, struct = schema(kind), STRUCTS[kind]
    if any(type(row) is not struct for row in rows):
        raise TypeError(f"a row that is no {struct.__name__}")
    cells = zip(*map(msgspec.structs.astuple, rows), strict=True) if rows else [()] * len(wanted)
    arrays = [pyarrow.array(column, field.type) for column, field in zip(cells, wanted, strict=True)]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=wanted)
