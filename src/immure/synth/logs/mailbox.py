"""``MailItemsAccessed`` of Microsoft 365, in the shapes in which it is exported.

>>> access = accesses(1, seed=7)[0]
>>> sorted(management(access))[:3]
['AppAccessContext', 'AppId', 'ClientAppId']
"""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from uuid import UUID

EXCHANGE: Final = "00000002-0000-0ff1-ce00-000000000000"
_APPS: Final = (
    ("5d661950-3475-41cd-a2c3-d671a3162bc1", "Client=MSExchangeRPC"),
    ("27922004-5251-4030-b22d-91ecd9a37ea4", "Client=OutlookService;Outlook-iOS/2.0;"),
    ("9199bf20-a13f-4107-85dc-02114787ef48", "Client=OWA;Action=ViaProxy"),
    ("13937bba-652e-4c46-b222-3003f4d1ff97", "Client=REST;Client=RESTSystem;;"),
)
_FOLDERS: Final = ("\\Inbox", "\\Sent Items", "\\Inbox\\Projects", "\\Archive", "\\Deleted Items")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxAccess:
    """One access, or several that were put together.

    Attributes:
        time: whole seconds since 1970.
        record, tenant, mailbox_id, session, token: identifiers.
        user: address, also of the mailbox.
        app: ClientAppId; "" if there is none.
        client: ClientInfoString.
        ip: of the client.
        issued: when the token was issued, seconds since 1970; None in records older than such members.
        access: ``Bind`` or ``Sync``.
        folder: path.
        messages: Message-IDs, of ``Bind``.
        throttled: whether logging stopped.
        token_tenant: of the token; ``tenant`` if it is empty.
    """

    time: int
    record: UUID
    tenant: UUID
    user: str
    mailbox_id: UUID
    session: UUID
    token: UUID
    app: str
    client: str
    ip: str
    issued: int | None
    access: str = "Bind"
    folder: str = "\\Inbox"
    messages: tuple[str, ...] = ()
    throttled: bool = False
    token_tenant: str = ""
    sizes: tuple[int, ...] = field(default=())


def accesses(count: int, *, seed: int, begin: int = 1_714_521_600, tenants: int = 2) -> list[MailboxAccess]:
    """Accesses of some users in sessions, each of which has one token, one client and one address."""
    random = Random(seed)  # noqa: S311 - of tests
    made: list[MailboxAccess] = []
    owners = [_uuid(random) for _ in range(tenants)]
    time = begin
    while len(made) < count:
        made += _session(random, owners[random.randrange(tenants)], time)
        time += random.randrange(1, 30)
    return made[:count]


def _session(random: Random, tenant: UUID, time: int) -> list[MailboxAccess]:
    number = random.randrange(500)
    app, client = random.choice(_APPS)
    common: dict[str, Any] = {
        "tenant": tenant,
        "user": f"user{number}@{str(tenant)[:8]}.example",
        "mailbox_id": UUID(int=(tenant.int ^ number) & ((1 << 128) - 1)),
        "session": _uuid(random),
        "token": _uuid(random),
        "app": app if random.random() > 0.1 else "",
        "client": client,
        "ip": f"203.0.113.{random.randrange(1, 255)}"
        if random.random() < 0.5
        else f"2001:db8:{random.getrandbits(16):x}::{random.getrandbits(16):x}",
        "issued": time - 30,
    }
    made = []
    for _ in range(random.randrange(3, 40)):
        time += random.randrange(1, 90)
        sync = random.random() < 0.1
        names = () if sync else tuple(_message(random) for _ in range(random.choice((1, 1, 1, 1, 2, 3))))
        made.append(
            MailboxAccess(
                time=time,
                record=_uuid(random),
                access="Sync" if sync else "Bind",
                folder=random.choice(_FOLDERS),
                messages=names,
                sizes=tuple(random.randrange(2000, 90_000) for _ in names),
                **common,
            )
        )
    return made


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def _message(random: Random) -> str:
    return f"<{random.getrandbits(112):028X}@DM0PR00MB{random.randrange(1000, 9999)}.prod.example>"


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def uti(identifier: UUID) -> str:
    """An identifier of a token as Exchange writes it: base64url of the bytes, little-endian."""
    return urlsafe_b64encode(identifier.bytes_le).decode().rstrip("=")


def management(access: MailboxAccess) -> dict[str, Any]:
    """A record of the Management Activity API."""
    made: dict[str, Any] = {
        "CreationTime": _iso(access.time),
        "Id": str(access.record),
        "Operation": "MailItemsAccessed",
        "OrganizationId": str(access.tenant),
        "RecordType": 50 if access.access == "Bind" else 2,
        "ResultStatus": "Succeeded",
        "UserKey": f"{access.mailbox_id.int % 10**16:016d}",
        "UserType": 0,
        "Version": 1,
        "Workload": "Exchange",
        "UserId": access.user,
        "AppId": EXCHANGE,
        "ClientAppId": access.app,
        "ClientIPAddress": access.ip,
        "ClientInfoString": access.client,
        "ExternalAccess": False,
        "InternalLogonType": 0,
        "LogonType": 0,
        "LogonUserSid": f"S-1-5-21-1004336348-1177238915-{access.mailbox_id.int % 10**9}",
        "MailboxGuid": str(access.mailbox_id),
        "MailboxOwnerSid": f"S-1-5-21-1004336348-1177238915-{access.mailbox_id.int % 10**9}",
        "MailboxOwnerUPN": access.user,
        "OperationProperties": [
            {"Name": "MailAccessType", "Value": access.access},
            {"Name": "IsThrottled", "Value": str(access.throttled)},
        ],
        "OrganizationName": f"{str(access.tenant)[:8]}.onmicrosoft.com",
        "OriginatingServer": "DM0PR00MB0001 (15.20.4200.000)\r\n",
        "SessionId": str(access.session),
    }
    if access.issued is not None:
        made["AppAccessContext"] = {
            "AADSessionId": str(access.session),
            "APIId": EXCHANGE,
            "ClientAppId": access.app,
            "IssuedAtTime": _iso(access.issued),
            "UniqueTokenId": uti(access.token),
        }
        made["TokenTenantId"] = access.token_tenant or str(access.tenant)
    made |= _things(access)
    return made


def _things(access: MailboxAccess) -> dict[str, Any]:
    if access.access == "Sync":
        return {"Item": {"Id": _item_id(access.folder), "ParentFolder": _folder(access)}}
    items = [
        {
            "Id": _item_id(name),
            "InternetMessageId": name,
            "SizeInBytes": size,
        }
        for name, size in zip(access.messages, access.sizes or (0,) * len(access.messages), strict=True)
    ]
    return {"Folders": [{"FolderItems": items, **_folder(access)}], "OperationCount": len(items)}


def _folder(access: MailboxAccess) -> dict[str, str]:
    return {"Id": _item_id(access.folder)[:64], "Path": access.folder}


def _item_id(text: str) -> str:
    return b64encode(text.encode().ljust(96, b"\x01")[:96]).decode()


def json_lines(found: Iterable[MailboxAccess]) -> bytes:
    """One record a line."""
    return b"".join(_dumps(management(one)) + b"\n" for one in found)


def json_array(found: Iterable[MailboxAccess], *, indent: int | None = None) -> bytes:
    """A blob of the Management Activity API."""
    return json.dumps([management(one) for one in found], indent=indent).encode()


def audit_csv(found: Sequence[MailboxAccess], *, encoding: str = "utf-8") -> bytes:
    """What ``Search-UnifiedAuditLog | Export-Csv`` writes."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(
        [
            "RecordType",
            "CreationDate",
            "UserIds",
            "Operations",
            "AuditData",
            "ResultIndex",
            "ResultCount",
            "Identity",
            "IsValid",
        ]
    )
    for number, one in enumerate(found, 1):
        data = _dumps(management(one)).decode()
        kind = "ExchangeItemAggregated"
        row = [
            kind,
            _iso(one.time),
            one.user,
            "MailItemsAccessed",
            data,
            number,
            len(found),
            one.record,
            "True",
        ]
        writer.writerow(row)
    return out.getvalue().encode(encoding)


def office_activity(access: MailboxAccess) -> dict[str, Any]:
    """A row of Sentinel's table ``OfficeActivity``."""
    plain = management(access)
    context = plain.get("AppAccessContext")
    made = {
        "TenantId": "11111111-2222-3333-4444-555555555555",  # of the workspace, not of the mailbox
        "TimeGenerated": f"{_iso(access.time)}Z",
        "RecordType": "ExchangeItemAggregated",
        "Operation": "MailItemsAccessed",
        "OrganizationId": plain["OrganizationId"],
        "UserType": "Regular",
        "UserKey": plain["UserKey"],
        "OfficeWorkload": "Exchange",
        "ResultStatus": "Succeeded",
        "UserId": access.user,
        "Client_IPAddress": f"[{access.ip}]:51234" if ":" in access.ip else f"{access.ip}:51234",
        "ClientInfoString": access.client,
        "ExternalAccess": "False",
        "Logon_Type": "Owner",
        "MailboxGuid": plain["MailboxGuid"],
        "MailboxOwnerUPN": access.user,
        "OfficeId": str(access.record),
        "AppId": EXCHANGE,
        "ClientAppId": access.app,
        "SessionId": str(access.session),
        "OperationProperties": json.dumps(plain["OperationProperties"]),
        "Folders": json.dumps(plain.get("Folders", [])),
        "Item": json.dumps(plain["Item"]) if "Item" in plain else "",
        "OperationCount": str(plain.get("OperationCount", "")),
        "SourceSystem": "OfficeActivityManager",
        "Type": "OfficeActivity",
    }
    if context is not None:
        made |= {"AppAccessContext": json.dumps(context), "TokenTenantId": plain["TokenTenantId"]}
    return made


def cloud_app_event(access: MailboxAccess, *, twice: bool = False) -> dict[str, Any]:
    """A row of Defender's table ``CloudAppEvents``; ``twice`` has the record within as a text of a text."""
    raw: Any = management(access)
    if twice:
        raw = json.dumps(json.dumps(raw))
    return {
        "Timestamp": f"{_iso(access.time)}.0000000Z",
        "ActionType": "MailItemsAccessed",
        "Application": "Microsoft Exchange Online",
        "ApplicationId": 20893,
        "AccountObjectId": str(access.mailbox_id),
        "AccountId": str(access.mailbox_id),
        "IsAdminOperation": False,
        "IPAddress": access.ip,
        "IsAnonymousProxy": None,
        "ReportId": f"{access.record.int % 10**12}_20893_{access.mailbox_id}",
        "RawEventData": raw,
    }


def graph_record(access: MailboxAccess) -> dict[str, Any]:
    """An ``auditLogRecord`` of Microsoft Graph."""
    return {
        "id": str(access.record),
        "createdDateTime": f"{_iso(access.time)}Z",
        "auditLogRecordType": "exchangeItemAggregated",
        "operation": "MailItemsAccessed",
        "organizationId": str(access.tenant),
        "service": "Exchange",
        "userPrincipalName": access.user,
        "auditData": {"@odata.type": "#microsoft.graph.security.defaultAuditData", **management(access)},
    }


def _dumps(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode()
