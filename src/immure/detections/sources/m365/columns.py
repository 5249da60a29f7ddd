"""``MailItemsAccessed`` as the Management API spells it, by columns: most of a mailbox log, the quick way.

A block is decoded into structs that know every member: any other spelling, type, operation or member ends the
quick way, and the record goes the slow one, which gives the same rows. A member that nobody reads is learned,
so that a new one of Microsoft's making costs nothing more than being counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from immure.detections.sources.block import Block
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.m365 import words
from immure.detections.sources.token_ids import canonical
from immure.detections.sources.values import address, flag, moment, pairs, seconds

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Slow = Callable[[bytes, Where, Gathering], None]
_FAULTS: Final = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)
_UNKNOWN: Final = re.compile(
    r"Object contains unknown field `(.+?)`(?: - at `\$(?:\[\d*\.*\])?(\.AppAccessContext)?`)?"
)
_MOST_LEARNED: Final = 128
_MOST_PROPERTIES: Final = 1024
_TEXT: Final = str | None
_LOGONS: Final = (
    "owner", "admin", "delegate", "transport", "system", "best-access", "delegated-admin",
)  # fmt: skip
_STATUS: Final = {"Succeeded": True, "PartiallySucceeded": True, "Failed": False}
_TEXTS: Final = (
    "OrganizationId", "UserId", "UserKey", "AppId", "ClientAppId", "ClientIPAddress", "ClientIP",
    "ClientInfoString", "MailboxGuid", "MailboxOwnerUPN", "SessionId", "TokenTenantId", "TokenObjectId",
)  # fmt: skip
_CONTEXT: Final = ("AADSessionId", "ClientAppId", "IssuedAtTime", "UniqueTokenId")
#: What nearly every record has and nobody reads.
_UNREAD: Final = ("LogonUserSid", "MailboxOwnerSid", "OriginatingServer")
_UNREAD_CONTEXT: Final = ("APIId",)
_UNREAD_NUMBERS: Final = ("UserType", "Version", "InternalLogonType")


class _Item(msgspec.Struct, gc=False):
    InternetMessageId: str | None = None
    Id: str | None = None


class _Folder(msgspec.Struct, gc=False):
    Path: str | None = None
    Id: str | None = None
    FolderItems: list[_Item] | None = None


class _NotSimpleError(Exception):
    """Something in a block is for the slow way."""


class Columns:
    """See the module. Holds what was learned of a log's members."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._learned: list[str] = list(_UNREAD)
        self._context: list[str] = list(_UNREAD_CONTEXT)
        self._counted: list[
            tuple[str, str, bool]
        ] = []  # place in the struct, name to show, whether in context
        self._properties: dict[bytes, tuple[str | None, bool | None]] = {}
        self._prepare()

    def take(self, block: Block, out: Gathering, slow: Slow) -> bool:
        """The rows of a block; what is not as it must be goes to ``slow``, one by one."""
        rows = self._decoded(block)
        if rows is None:
            return self._one_by_one(block, out, slow)
        if not self._add(rows, out, lambda place: next(islice(block.pieces(), place, None))[0]):
            return False
        out.read += len(rows)
        return True

    def take_texts(self, texts: Sequence[tuple[Where, str]], out: Gathering) -> list[int]:
        """The rows of single records that were counted as read; the places of those that are left."""
        rows, places, left = self._singles(texts)
        left += [place for place, row in zip(places, rows, strict=True) if not row.UserId]
        if len(left) > len(texts) - len(rows):  # the columns around the record may have it
            rows, places, left = [], [], list(range(len(texts)))
        return (
            left if self._add(rows, out, lambda number: texts[places[number]][0]) else list(range(len(texts)))
        )

    def _one_by_one(self, block: Block, out: Gathering, slow: Slow) -> bool:
        pieces = list(block.pieces())
        rows, places, left = self._singles(pieces)
        if not rows or not self._add(rows, out, lambda number: pieces[places[number]][0]):
            return False
        out.read += len(rows)
        for place in left:
            where, piece = pieces[place]
            slow(piece, where, out)
        return True

    def _singles(self, pieces: Sequence[tuple[Where, Any]]) -> tuple[list[Any], list[int], list[int]]:
        """Structs of those that are as they must be, their places, and the places of the others."""
        rows, places, left = [], [], []
        for place, (_, piece) in enumerate(pieces):
            row = self._single(piece)
            if row is None:
                left.append(place)
            else:
                rows.append(row)
                places.append(place)
        return rows, places, left

    def _single(self, piece: bytes | str) -> Any:
        while True:
            try:
                return self._one(piece)
            except msgspec.ValidationError as error:
                if not self._learn(str(error)):
                    return None
            except _FAULTS:
                return None

    def _add(self, rows: list[Any], out: Gathering, where: Callable[[int], Where]) -> bool:
        """Whether the rows are as they must be; then they are taken."""
        if rows:
            try:
                batch = self._batch(rows)
            except (_NotSimpleError, UnicodeEncodeError):
                return False
            out.add_batch("mail", batch)
            self._count(rows, out, where)
        return True

    # --- decoding ---

    def _prepare(self) -> None:
        texts = [(name, _TEXT, None) for name in _CONTEXT]
        context = msgspec.defstruct(
            "Context", texts + self._raws(self._context), gc=False, forbid_unknown_fields=True,
            rename=self._renamed(self._context),
        )  # fmt: skip
        record = msgspec.defstruct(
            "Record",
            [
                ("Id", str),
                ("CreationTime", str),
                ("Operation", Literal["MailItemsAccessed"]),
                ("Workload", Literal["Exchange"]),
                ("RecordType", Literal[2, 3, 50] | None, None),
                ("ResultStatus", Literal["Succeeded", "PartiallySucceeded", "Failed", None], None),
                ("OrganizationName", _TEXT, None),
                *((name, _TEXT, None) for name in _TEXTS),
                ("LogonType", int | None, None),
                ("ExternalAccess", bool | None, None),
                ("OperationCount", int | None, None),
                ("AppAccessContext", context | None, None),
                ("OperationProperties", msgspec.Raw, None),
                ("Folders", list[_Folder] | None, None),
                *((name, int | None, None) for name in _UNREAD_NUMBERS),
                *self._raws(self._learned),
            ],
            gc=False,
            forbid_unknown_fields=True,
            rename=self._renamed(self._learned),
        )
        self._one = msgspec.json.Decoder(record).decode
        self._lines = msgspec.json.Decoder(record).decode_lines
        self._array = msgspec.json.Decoder(list[record]).decode  # type: ignore[valid-type]
        self._no_context = context()
        self._within = attrgetter(*_CONTEXT)
        self._cells = attrgetter("Id", "CreationTime", "OrganizationName", *_TEXTS)
        self._rest = attrgetter(
            "LogonType", "ExternalAccess", "OperationCount", "ResultStatus", "OperationProperties", "Folders",
            "AppAccessContext",
        )  # fmt: skip

    @staticmethod
    def _raws(names: list[str]) -> list[tuple[str, Any, Any]]:
        return [(f"raw{place}", msgspec.Raw, msgspec.UNSET) for place, _ in enumerate(names)]

    @staticmethod
    def _renamed(names: list[str]) -> dict[str, str]:
        return {f"raw{place}": name for place, name in enumerate(names)}

    def _decoded(self, block: Block) -> list[Any] | None:
        """The structs of a block; None if it has others, that cannot be learned."""
        body = b"[%b]" % block.body if block.array else block.body
        while True:
            try:
                return self._array(body) if block.array else self._lines(body)
            except msgspec.ValidationError as error:
                if not self._learn(str(error)):
                    return None
            except _FAULTS:
                return None

    def _learn(self, message: str) -> bool:
        """Whether the members of the structs are more than before."""
        found = _UNKNOWN.fullmatch(message)
        if found is None:
            return False
        within = found[2] is not None
        name, names = found[1], self._context if within else self._learned
        small = name.lower()
        read = (
            small in ("aadsessionid", "clientappid", "issuedattime", "uniquetokenid")
            if within
            else small in words.READ
        )
        if read or name in names or len(names) >= _MOST_LEARNED:
            return False
        if small not in (words.CONTEXT if within else words.MEMBERS):
            shown = f"AppAccessContext.{small}" if within else small
            self._counted.append((f"raw{len(names)}", shown, within))
        names.append(name)
        self._prepare()
        return True

    def _count(self, rows: Sequence[Any], out: Gathering, where: Callable[[int], Where]) -> None:
        """Count the members that are not known."""
        for place, shown, within in self._counted:
            holders = [row.AppAccessContext for row in rows] if within else rows
            having = [
                number
                for number, row in enumerate(holders)
                if row is not None and getattr(row, place, msgspec.UNSET) is not msgspec.UNSET
            ]
            if having:
                out.partly("field", where(having[0]), shown, len(having))

    # --- columns ---

    def _batch(self, rows: Sequence[Any]) -> RecordBatch:
        import pyarrow

        from immure.detections.sources import columns as made

        text = made.text_column
        cells = dict(
            zip(
                ("Id", "CreationTime", "OrganizationName", *_TEXTS),
                zip(*map(self._cells, rows), strict=True),
                strict=True,
            )
        )
        logons, external, counts, statuses, properties, folders, contexts = zip(
            *map(self._rest, rows), strict=True
        )
        record_ids = text(cells["Id"])
        if record_ids.null_count:
            raise _NotSimpleError
        session, client, issued, token = (
            text(column)
            for column in zip(*map(self._within, [one or self._no_context for one in contexts]), strict=True)
        )
        kept = (
            list(map(bytes, properties))
            if None not in properties
            else [bytes(one or b"") for one in properties]
        )
        paths, messages = _things(folders)
        string = pyarrow.string()
        addresses = made.first_of(text(cells["ClientIPAddress"]), text(cells["ClientIP"]))
        return made.table(
            "mail",
            len(rows),
            {
                "time": _times(cells["CreationTime"]),
                "source": self._source,
                "record_id": record_ids,
                "operation": "MailItemsAccessed",
                "action": made.few(kept, lambda body: self._property(body)[0], string),
                "count": _numbers(counts),
                "mailbox": text(cells["MailboxOwnerUPN"]),
                "mailbox_id": text(cells["MailboxGuid"]),
                "tenant": made.first_of(text(cells["OrganizationId"]), text(cells["OrganizationName"])),
                "token_tenant": text(cells["TokenTenantId"]),
                "user": text(cells["UserId"]),
                "user_id": made.first_of(text(cells["TokenObjectId"]), text(cells["UserKey"])),
                "logon": made.few(logons, _logon, string),
                "external": pyarrow.array(external, pyarrow.bool_()),
                "folders": paths,
                "messages": messages,
                "app": text(cells["AppId"]),
                "client_app": made.first_of(text(cells["ClientAppId"]), client),
                "client_info": text(cells["ClientInfoString"]),
                "ip": made.mapped(addresses, _address, string),
                "session": made.first_of(session, text(cells["SessionId"])),
                "token_id": made.mapped(token, canonical, string),
                "token_iat": made.mapped(issued, _issued, pyarrow.int64()),
                "throttled": made.few(kept, lambda body: self._property(body)[1], pyarrow.bool_()),
                "succeeded": made.few(statuses, _STATUS.get, pyarrow.bool_()),
            },
        )

    def _property(self, body: bytes) -> tuple[str | None, bool | None]:
        """Kind of access, and whether logging has stopped; few different ones are in a log."""
        if not body:
            return None, None
        made = self._properties.get(body)
        if made is None:
            try:
                value = msgspec.json.decode(body) or []
            except _FAULTS:  # what is decoded as ``Raw`` is not looked at: here are bytes that are no UTF-8
                raise _NotSimpleError from None
            if not isinstance(value, list):
                raise _NotSimpleError
            kept = pairs(value)
            access = kept.get("mailaccesstype")
            if access is not None and not isinstance(access, str):
                raise _NotSimpleError
            made = (access.lower() if access else None), flag(kept.get("isthrottled"))
            if len(self._properties) < _MOST_PROPERTIES:
                self._properties[body] = made
        return made


def _times(values: Sequence[str]) -> Any:
    """Times as Arrow reads them; what it does not goes through :func:`moment`."""
    import pyarrow

    kind = pyarrow.timestamp("us", tz="UTC")
    try:
        made = pyarrow.array(values, pyarrow.string()).cast(pyarrow.timestamp("us")).cast(pyarrow.int64())
        least = pyarrow.compute.min_max(made).as_py()
    except pyarrow.ArrowInvalid:
        pass
    else:
        if least["min"] >= 0 and least["max"] < 253_402_300_800_000_000 and _all_long(values):
            return made.cast(kind)
    moments = [moment(value) for value in values]
    if None in moments:
        raise _NotSimpleError
    return pyarrow.array(moments, kind)


def _all_long(values: Sequence[str]) -> bool:
    """Arrow also takes a day for a time, which the slow way does not."""
    return min(map(len, values)) >= 16


def _numbers(values: Sequence[int | None]) -> Any:
    import pyarrow

    try:
        return pyarrow.array(values, pyarrow.int64())
    except (OverflowError, pyarrow.ArrowInvalid):
        raise _NotSimpleError from None


def _logon(value: int | None) -> str | None:
    if value is None:
        return None
    if not 0 <= value < len(_LOGONS):
        raise _NotSimpleError
    return _LOGONS[value]


def _address(value: str | None) -> str | None:
    return address(value)


def _issued(value: str | None) -> int | None:
    if value is None:
        return None
    made = seconds(value)
    if made is None:
        raise _NotSimpleError
    return made if made > 0 else None


def _things(folders: Sequence[Sequence[_Folder] | None]) -> tuple[Any, Any]:
    """The columns of folders and of messages. Written out, since it runs for every item of a log."""
    from immure.detections.sources.columns import Lists

    paths, messages = Lists(), Lists()
    add_path, add_message = paths.flat.append, messages.flat.append
    end_paths, end_messages = paths.offsets.append, messages.offsets.append
    for several in folders:
        begun = len(paths.flat)
        for folder in several or ():
            path = folder.Path or folder.Id
            if path and (len(paths.flat) == begun or path not in paths.flat[begun:][-64:]):
                add_path(path)
            for item in folder.FolderItems or ():
                name = item.InternetMessageId or item.Id
                if name:
                    add_message(name)
        end_paths(len(paths.flat))
        end_messages(len(messages.flat))
    return paths.array(), messages.array()
