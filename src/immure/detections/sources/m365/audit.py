"""One record of the unified audit log, of whatever shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from immure.detections.records import MailAccess, SignIn
from immure.detections.sources.block import Block
from immure.detections.sources.decoding import UndecodableError, made_name, unwrapped
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.m365 import words
from immure.detections.sources.m365.mailbox import Mailbox
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.token_ids import canonical
from immure.detections.sources.values import address, flag, integer, moment, pairs, seconds, text

_TIMES: Final = ("creationtime", "timegenerated", "timestamp", "creationdate", "createddatetime")
_IDS: Final = ("id", "officeid", "sourcerecordid", "recordid", "identity", "_itemid", "reportid")
_OPERATIONS: Final = ("operation", "operations", "actiontype")
_ADDRESSES: Final = ("clientipaddress", "client_ipaddress", "clientip", "actoripaddress", "ipaddress")
_TENANTS: Final = ("organizationid", "officetenantid", "tenantid", "organizationname")
_INNER: Final = ("auditdata", "raweventdata")
_LOGONS: Final = {
    "0": "owner", "owner": "owner", "1": "admin", "admin": "admin", "2": "delegate", "delegate": "delegate",
    "delegated": "delegate", "3": "transport", "transport": "transport", "4": "system",
    "systemservice": "system",
    "5": "best-access", "bestaccess": "best-access", "6": "delegated-admin",
    "delegatedadmin": "delegated-admin",
}  # fmt: skip
_SUCCEEDED: Final = {
    "succeeded": True, "success": True, "partiallysucceeded": True, "true": True,
    "failed": False, "failure": False, "false": False,
}  # fmt: skip
_CMDLET: Final = re.compile(r"[A-Za-z]+-[A-Za-z0-9]+")
Low = dict[str, Any]


class M365Audit(TextSource):
    """See :mod:`immure.detections.sources.m365`."""

    name: ClassVar[str] = "m365-audit"
    most: ClassVar[int] = 1 << 18  # of a block: with its columns it stays in a core's cache

    def detect(self, head: bytes, name: str) -> float:
        """By the names of members and columns."""
        names = names_in(head)
        if "auditdata" in names or "raweventdata" in names:
            return 0.95
        if {"officeworkload", "operation"} <= names or {"officeid", "operation"} <= names:
            return 0.95
        if {"creationtime", "operation", "workload"} <= names:
            return 0.95
        return 0.6 if {"creationtime", "operation"} <= names and names & {"userid", "organizationid"} else 0.0

    def block(self, block: Block, out: Gathering) -> bool:
        """Mailbox records of the Management API by columns, what is not quite one by one."""
        return _mailbox(out).take(block, out, self.take)

    def is_array(self, body: bytes, out: Gathering) -> bool:
        """See :meth:`TextSource.is_array`; what the kernel has read is one."""
        return _mailbox(out).read_ahead(body) or super().is_array(body, out)

    def rows(self, found: list[tuple[Where, dict[str, str]]], out: Gathering) -> None:
        """Mailbox records in a column of CSV, by columns."""
        super().rows([found[place] for place in _mailbox(out).take_texts(found, out)], out)

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        low, whole = _lowered(plain), True
        try:
            low = _whole(low, out.limits.encoded)
        except UndecodableError:
            whole = False
            out.partly("value", where, "AuditData")
        _Record(low, where, raw, out, self.name, whole).make()


def _mailbox(out: Gathering) -> Mailbox:
    """Where this reading's mailbox records are held."""
    held = out.held.get("mail")
    if not isinstance(held, Mailbox):
        held = out.held["mail"] = Mailbox(out.source)
    return held


class _Record:
    """One record while it is looked at."""

    __slots__ = ("low", "out", "raw", "source", "where", "whole")

    def __init__(
        self, low: Low, where: Where, raw: bytes | str, out: Gathering, source: str, whole: bool
    ) -> None:
        self.low, self.where, self.raw, self.out = low, where, raw, out
        self.source, self.whole = source, whole

    def make(self) -> None:
        operation = self.first(_OPERATIONS)
        workload = text(
            self.low.get("workload") or self.low.get("officeworkload") or self.low.get("application")
        )
        if operation is None:
            self.out.lost("no-name" if self.whole else "torn", self.where)
            return
        time = next((made for name in _TIMES if (made := moment(self.low.get(name))) is not None), None)
        kind = _kind(operation, workload, self.low)
        if kind == "passed":
            self.out.passed(f"{workload}: {operation}" if workload else operation)
        elif kind == "unknown":
            self.out.lost("operation", self.where, f"{workload}: {operation}" if workload else operation)
        elif time is None:
            self.out.lost("no-time", self.where, operation)
        else:
            self.count_unknown()
            self.sign_in(time, operation) if kind == "signin" else self.mail(time, operation)

    def first(self, names: tuple[str, ...]) -> str | None:
        """The first of these members that is a text with something in it."""
        for name in names:
            if (value := text(self.low.get(name))) is not None:
                return value
        return None

    def count_unknown(self) -> None:
        for name in self.low.keys() - words.MEMBERS:
            self.out.partly("field", self.where, name)

    def name(self) -> str:
        return self.first(_IDS) or made_name(self.raw)

    def mail(self, time: int, operation: str) -> None:
        low = self.low
        if operation.lower() not in words.MAIL_OPERATIONS:
            self.out.partly("operation", self.where, operation)
        properties = pairs(self.opened("operationproperties", list))
        context = self.context()
        action = _small(properties.get("mailaccesstype") or low.get("mailaccesstype"))
        folders, messages = self.things(named=action != "sync")
        self.out.add(
            MailAccess(
                time=time,
                source=self.source,
                record_id=self.name(),
                operation=operation,
                action=action,
                count=integer(low.get("operationcount")),
                mailbox=self.first(("mailboxownerupn",)),
                mailbox_id=self.first(("mailboxguid",)),
                tenant=self.first(_TENANTS),
                token_tenant=self.first(("tokentenantid",)),
                user=self.first(("userid", "userids", "userprincipalname")),
                user_id=self.first(("tokenobjectid", "userkey")),
                logon=self.logon(),
                external=flag(low.get("externalaccess")),
                folders=folders,
                messages=messages,
                app=self.first(("appid",)),
                client_app=self.first(("clientappid",)) or text(context.get("clientappid")),
                client_info=self.first(("clientinfostring",)),
                ip=self.address(),
                session=text(context.get("aadsessionid")) or self.first(("sessionid", "aadsessionid")),
                token_id=canonical(text(context.get("uniquetokenid") or low.get("uniquetokenid"))),
                token_iat=self.issued(context),
                throttled=flag(properties.get("isthrottled", low.get("isthrottled"))),
                succeeded=self.succeeded(),
            )
        )

    def issued(self, context: Low) -> int | None:
        value = context.get("issuedattime") or self.low.get("issuedattime")
        made = seconds(value)
        if value and made is None:
            self.out.partly("value", self.where, "IssuedAtTime")
        return made if made is None or made > 0 else None  # .NET's year 1 is before 1970 and no time

    def logon(self) -> str | None:
        value = self.first(("logontype", "logon_type"))
        if value is None:
            return None
        made = _LOGONS.get(value.lower())
        if made is None:
            self.out.partly("value", self.where, "LogonType")
        return made

    def succeeded(self) -> bool | None:
        value = self.first(("resultstatus",))
        return None if value is None else _SUCCEEDED.get(value.lower())

    def address(self) -> str | None:
        return next((made for name in _ADDRESSES if (made := address(self.low.get(name))) is not None), None)

    def opened(self, name: str, wanted: type) -> Any:
        """A member that is a list or an object, or the text of one; None if it is neither."""
        value = self.low.get(name)
        if value is None or value == "":
            return None
        try:
            value = unwrapped(value, self.out.limits.encoded)
        except UndecodableError:
            value = 0
        if isinstance(value, dict) and wanted is list:
            value = [value]
        if not isinstance(value, wanted):
            self.out.partly("value", self.where, name)
            return None
        return value

    def context(self) -> Low:
        context = _lowered(self.opened("appaccesscontext", dict) or {})
        for name in context.keys() - words.CONTEXT:
            self.out.partly("field", self.where, f"AppAccessContext.{name}")
        return context

    def things(self, *, named: bool) -> tuple[list[str] | None, list[str] | None]:
        """Folders and messages, wherever the operation has them. What is in ``Item`` is a message only if
        ``named``: of a sync it is the folder."""
        folders: list[str] = []
        messages: list[str] = []
        for folder in self.opened("folders", list) or ():
            _folder(folder, folders)
            if isinstance(folder, dict):
                items = _lowered(folder).get("folderitems")
                for item in items if isinstance(items, list) else ():
                    _message(item, [], messages)  # they are in this folder
        for name in ("item", "affecteditems"):
            for item in self.opened(name, list) or ():
                _message(item, folders, messages if named else [])
        for name in ("folder", "destfolder"):
            _folder(self.opened(name, dict), folders)
        return folders or None, messages or None

    def sign_in(self, time: int, operation: str) -> None:
        extended, device = (
            pairs(self.opened(name, list)) for name in ("extendedproperties", "deviceproperties")
        )
        targets = [one for one in self.opened("target", list) or () if isinstance(one, dict)]
        error = self.first(("errornumber",))
        self.out.add(
            SignIn(
                time=time,
                source=self.source,
                record_id=self.name(),
                flow=operation,
                user=self.first(("userid", "userids")),
                user_id=self.first(("userkey",)),
                tenant=self.first(("organizationid", "actorcontextid", "tenantid")),
                resource_tenant=self.first(("targetcontextid",)),
                app=self.first(("applicationid",)),
                app_name=self.first(("applicationdisplayname",)),
                resource=text(targets[0].get("ID")) if targets else self.first(("objectid",)),
                ip=self.address(),
                user_agent=text(extended.get("useragent")),
                session=text(device.get("sessionid")),
                correlation=self.first(("intersystemsid",)),
                succeeded=operation.lower() == "userloggedin",
                error=None if error in (None, "0") else error,
            )
        )


def _kind(operation: str, workload: str | None, low: Low) -> str:
    """``mail``, ``signin``, ``passed`` or ``unknown``."""
    word, kind = operation.lower(), str(low.get("recordtype", "")).strip().lower()
    place = (workload or "").lower().replace(" ", "")
    if kind in words.MAIL_RECORDS:
        return "mail"
    if word in words.SIGN_INS:
        return "signin"
    exchange = place in ("", "exchange", "microsoftexchangeonline") and kind not in words.ADMIN_RECORDS
    if exchange and (word in words.MAIL_OPERATIONS or "mailboxguid" in low):
        return "mail"
    if place in words.WORKLOADS or place.startswith("microsoft"):
        exact = place != "exchange" or kind or _CMDLET.fullmatch(operation)
        return "passed" if exact else "unknown"
    return "unknown"


def _lowered(plain: Mapping[str, Any]) -> Low:
    """With small names; if two differ in case only, the one that holds something."""
    low: Low = {}
    for key, value in plain.items():
        small = key.lower()
        if small not in low or low[small] in (None, ""):
            low[small] = value
    return low


def _whole(low: Low, most: int) -> Low:
    """With the members of the record that is within: they win over the columns around it."""
    for name in _INNER:
        inner = low.get(name)
        if inner:
            inner = unwrapped(inner, most)
            if isinstance(inner, dict):
                around = {key: kept for key, kept in low.items() if key != name}
                return {**around, **{key: kept for key, kept in _lowered(inner).items() if kept is not None}}
            if isinstance(inner, str):
                raise UndecodableError("is no JSON")
    return low


def _small(value: object) -> str | None:
    made = text(value)
    return None if made is None else made.lower()


def _folder(folder: Any, folders: list[str]) -> None:
    if isinstance(folder, dict):
        low = _lowered(folder)
        path = text(low.get("path")) or text(low.get("id"))
        if path is not None and path not in folders[-64:]:
            folders.append(path)


def _message(item: Any, folders: list[str], messages: list[str]) -> None:
    if isinstance(item, dict):
        low = _lowered(item)
        name = text(low.get("internetmessageid")) or text(low.get("id"))
        if name is not None:
            messages.append(name)
        _folder(low.get("parentfolder"), folders)
