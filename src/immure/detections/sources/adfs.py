"""Audit events of AD FS: 1200 (a token was issued), 1202 (a credential was validated), 1201 and 1203 (not).

Windows events as XML (``wevtutil``, ``Get-WinEvent … ToXml()``, saved from the viewer) or as JSON of a
shipper (Winlogbeat, NXLog, Sentinel, PowerShell): whatever wraps it, an XML document ``AuditBase`` is in it.
https://learn.microsoft.com/windows-server/identity/ad-fs/troubleshooting/ad-fs-tshoot-logging
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from immure.detections.records import SignIn
from immure.detections.sources.chunk import Chunk
from immure.detections.sources.decoding import UndecodableError, made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.limits import Limits
from immure.detections.sources.lookup import Lookup
from immure.detections.sources.position import Position
from immure.detections.sources.source import TextSource, head_of, names_in
from immure.detections.sources.stream import Stream
from immure.detections.sources.values import address, moment
from immure.detections.sources.wordset import wordset
from immure.detections.sources.xml_leaves import leaves

_EVENTS: Final = {
    "1200": ("token-issued", True), "1201": ("token-issued", False),
    "1202": ("credential-validated", True), "1203": ("credential-validated", False),
}  # fmt: skip
#: Other audit events of AD FS: requests, password changes, signing out, claims, tokens of older servers.
_OTHERS: Final = wordset(
    "1204 1205 1206 1207 1210 299 307 324 403 404 405 406 410 411 412 424 500 501 510 512 513 515 516"
)
_AUDIT: Final = re.compile(r"<(?:\w+:)?AuditBase.*?</(?:\w+:)?AuditBase>", re.DOTALL)
_IDS: Final = (
    "eventid", "event_id", "id", "winlog.event_id", "event.code", "event.id", "event.system.eventid",
    "system.eventid",
    "event.system.eventid.#text", "system.eventid.#text", "event.system.eventid.value",
)  # fmt: skip
_TIMES: Final = (
    "timecreated", "@timestamp", "eventtime", "timegenerated", "system.timecreated.systemtime",
    "event.system.timecreated.systemtime", "event.system.timecreated.#attributes.systemtime",
    "event.system.timecreated.@systemtime", "utctime", "timestamp", "date",
)  # fmt: skip
_RECORDS: Final = (
    "eventrecordid", "recordid", "recordnumber", "winlog.record_id", "event.system.eventrecordid",
    "system.eventrecordid",
)  # fmt: skip
_COMPUTERS: Final = (
    "computer",
    "machinename",
    "hostname",
    "winlog.computer_name",
    "event.system.computer",
    "system.computer",
)
_NOTHING: Final = frozenset({"", "n/a", "none"})
_BEGIN: Final = re.compile(rb"<(?:\w+:)?Event[\s>]")
_END: Final = re.compile(rb"</(?:\w+:)?Event\s*>")
_DEFAULT: Final = Limits()


class AdfsAudit(TextSource):
    """See the module."""

    name: ClassVar[str] = "adfs-audit"

    def detect(self, head: bytes, name: str) -> float:
        """By the name of the provider, or of the document within."""
        if b"AuditBase" in head and (
            b"AppTokenAudit" in head or b"FreshCredentialAudit" in head or b"AuditType" in head
        ):
            return 0.95
        if b"AD FS Auditing" in head:
            return 0.9
        windows = b"schemas.microsoft.com/win/2004/08/events" in head
        return 0.3 if windows or {"eventid", "providername"} <= names_in(head) else 0.0

    def read(
        self, path: Path, position: str = "", *, limits: Limits = _DEFAULT, ended: bool = True
    ) -> Iterator[Chunk]:
        """See :meth:`Source.read`."""
        if head_of(path).lstrip()[:1] == b"<":
            return self._read_xml(path, position, limits, ended)
        return super().read(path, position, limits=limits, ended=ended)

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        row = Lookup(plain)
        name = row.text(*_RECORDS)
        computer = row.text(*_COMPUTERS)
        given = f"{computer or ''}/{name}" if name else made_name(raw)
        self._event(row.text(*_IDS), row.moment(*_TIMES), given, _audit_in(plain), where, out)

    def _event(
        self, event: str | None, time: int | None, name: str, audit: str | None, where: Where, out: Gathering
    ) -> None:
        if event is None:
            out.lost("no-name", where)
        elif event in _OTHERS:
            out.passed(event)
        elif event not in _EVENTS:
            out.lost("operation", where, event)
        elif time is None:
            out.lost("no-time", where, event)
        else:
            self._audit(event, time, name, audit, where, out)

    def _audit(
        self, event: str, time: int, name: str, audit: str | None, where: Where, out: Gathering
    ) -> None:
        values: dict[str, str] = {}
        try:
            for leaf in leaves(audit or ""):
                if leaf.text.lower() not in _NOTHING:
                    values.setdefault(leaf.name.lower(), leaf.text)
        except UndecodableError:
            out.partly("value", where, "AuditBase")
        kind, succeeded = _EVENTS[event]
        forwarded = (values.get("forwardedipaddress") or values.get("ipaddress") or "").split(",")[0]
        out.add(
            SignIn(
                time=time,
                source=self.name,
                record_id=name,
                event=kind,
                flow=event,
                user=values.get("userid"),
                tenant=values.get("server"),
                app=values.get("oauthclientid"),
                resource=values.get("relyingparty"),
                ip=address(forwarded),
                user_agent=values.get("useragentstring"),
                token_type=values.get("authprotocol"),
                session=values.get("ssoid"),
                correlation=values.get("activityid"),
                succeeded=succeeded,
                error=None if succeeded else values.get("errorcode") or values.get("failuretype"),
            )
        )

    # --- events as XML ---

    def _read_xml(self, path: Path, position: str, limits: Limits, ended: bool) -> Iterator[Chunk]:
        out, stream = Gathering(self.name, str(path), limits), Stream(path)
        try:
            start = Position.parse(position, self.name, path)
            stream.skip(start.offset)
            taken = place = start.offset
            for where, element in _elements(stream, out, ended):
                out.read += 1
                self._element(element, where, out)
                place = where.offset + len(element)
                if out.rows >= limits.rows or place - taken >= limits.chunk:
                    yield out.take(start.at(place, 0))
                    taken = place
            self._end(stream, out)
            yield out.take(start.at(place, 0))
        finally:
            stream.close()

    def _element(self, element: bytes, where: Where, out: Gathering) -> None:
        try:
            found = leaves(element.decode("utf-8", "replace"))
        except UndecodableError as error:
            out.lost(error.code, where)
            return
        texts = {leaf.name: leaf for leaf in reversed(found)}
        event, time = texts.get("EventID"), texts.get("TimeCreated")
        record, computer = texts.get("EventRecordID"), texts.get("Computer")
        name = f"{computer.text if computer else ''}/{record.text}" if record else made_name(element)
        audit = next((made for leaf in found if (made := _audit_in(leaf.text)) is not None), None)
        moment_of = moment(time.attributes.get("SystemTime")) if time is not None else None
        self._event(event.text if event else None, moment_of, name, audit, where, out)


def _audit_in(value: Any, depth: int = 0) -> str | None:
    """The document within an event, in whatever member of whatever shipper."""
    if isinstance(value, str):
        if "AuditBase" not in value:
            return None
        found = _AUDIT.search(value) or _AUDIT.search(_unescaped(value))
        return found[0] if found is not None else None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if depth > 8:
        return None
    return next((made for one in inner if (made := _audit_in(one, depth + 1)) is not None), None)


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def _elements(stream: Stream, out: Gathering, ended: bool) -> Iterator[tuple[Where, bytes]]:
    """Elements ``Event``, however deep, with their places."""
    buffer, start = b"", stream.offset
    while True:
        begin = _BEGIN.search(buffer)
        end = _END.search(buffer, begin.end()) if begin is not None else None
        if begin is not None and end is not None:
            yield Where(start + begin.start()), buffer[begin.start() : end.end()]
            buffer, start = buffer[end.end() :], start + end.end()
            continue
        keep = begin.start() if begin is not None else max(0, len(buffer) - 64)
        buffer, start = buffer[keep:], start + keep
        if begin is not None and len(buffer) > out.limits.record:
            out.read += 1
            out.lost("too-long", Where(start))
            buffer, start = buffer[6:], start + 6
            continue
        piece = stream.read(out.limits.block)
        if not piece:
            if begin is not None and ended:
                out.read += 1
                out.lost("torn", Where(start))
            return
        buffer += piece
