"""OCSF (Open Cybersecurity Schema Framework 1.x): Authentication (3002) and API Activity (6003), in and out.

What we write has the row itself in ``unmapped.immure``, and is read again without loss; what others write is
read by the members of the schema. https://schema.ocsf.io
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from immure.detections.records import STRUCTS, Acceptance, Kind, MailAccess, Record, SignIn, kind_of
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.lookup import Lookup
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.token_ids import canonical
from immure.detections.sources.wordset import wordset

VERSION: Final = "1.3.0"
_PRODUCT: Final = "Immure"
_AUTHENTICATION: Final = 3002
_API: Final = 6003
_EMAIL: Final = 4009
_MEMBERS: Final = wordset(
    """
    activity_id activity_name action action_id actor api attack_list attacks auth_factors auth_protocol
    auth_protocol_id authorizations category_name category_uid certificate class_name class_uid cloud
    confidence confidence_id count device disposition disposition_id dst_endpoint duration end_time
    end_time_dt enrichments firewall_rule http_request http_response is_cleartext is_mfa is_new_logon
    is_remote logon_process logon_type logon_type_id malware message metadata observables osint raw_data
    raw_data_hash raw_data_size resources risk_details risk_level risk_level_id risk_score service session
    severity severity_id src_endpoint start_time start_time_dt status status_code status_detail status_id
    time time_dt timezone_offset trace type_name type_uid unmapped user email email_auth from to direction
    direction_id type
    """
)


class Ocsf(TextSource):
    """See the module."""

    name: ClassVar[str] = "ocsf"

    def detect(self, head: bytes, name: str) -> float:
        """By the names of members."""
        return 0.98 if {"class_uid", "metadata"} <= names_in(head) else 0.0

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        row = Lookup(plain)
        kind = row.integer("class_uid")
        if kind is None:
            out.lost("no-name", where)
            return
        ours = row.get("unmapped.immure") if row.text("metadata.product.name") == _PRODUCT else None
        if isinstance(ours, dict):
            self._ours(ours, where, out)
            return
        time = row.moment("time", "time_dt")
        if kind not in (_AUTHENTICATION, _API):
            if 1000 <= kind < 9000:
                out.passed(row.text("class_name") or str(kind))
            else:
                out.lost("operation", where, str(kind))
        elif time is None:
            out.lost("no-time", where, str(kind))
        else:
            for name in row.names() - _MEMBERS:
                out.partly("field", where, name)
            name = row.text("metadata.uid", "metadata.event_code", "metadata.log_uid") or made_name(raw)
            out.add(_sign_in(row, time, name) if kind == _AUTHENTICATION else _acceptance(row, time, name))

    def _ours(self, ours: dict[str, Any], where: Where, out: Gathering) -> None:
        struct = STRUCTS.get(ours.pop("kind", ""))
        try:
            out.add(msgspec.convert(ours, struct, strict=True) if struct is not None else _nothing())
        except (msgspec.ValidationError, ValueError):
            out.lost("shape", where, "unmapped.immure")


def _nothing() -> Record:
    raise ValueError("no kind")


def _sign_in(row: Lookup, time: int, name: str) -> SignIn:
    status = row.integer("status_id")
    return SignIn(
        time=time,
        source=Ocsf.name,
        record_id=name,
        flow=row.text("activity_name", "activity_id"),
        user=row.text("user.email_addr", "user.name", "actor.user.email_addr", "actor.user.name"),
        user_id=row.text("user.uid", "actor.user.uid"),
        tenant=row.text("user.org.uid", "metadata.tenant_uid", "actor.user.org.uid", "cloud.account.uid"),
        app=row.text("actor.app_uid", "actor.application.uid", "service.uid"),
        app_name=row.text("actor.app_name", "actor.application.name"),
        resource=row.text("dst_endpoint.uid", "dst_endpoint.hostname", "dst_endpoint.svc_name"),
        resource_name=row.text("service.name"),
        ip=row.address("src_endpoint.ip"),
        user_agent=row.text("http_request.user_agent"),
        token_id=canonical(row.text("authentication_token.uid", "session.credential_uid")),
        token_type=row.text("auth_protocol"),
        session=row.text("session.uid", "actor.session.uid"),
        correlation=row.text("metadata.correlation_uid"),
        succeeded=True if status == 1 else False if status == 2 else None,
        error=row.text("status_code") if status == 2 else None,
    )


def _acceptance(row: Lookup, time: int, name: str) -> Acceptance:
    resource = row.text("api.service.name")
    return Acceptance(
        time=time,
        source=Ocsf.name,
        record_id=name,
        verdict="refused" if row.integer("status_id") == 2 else "accepted",
        rule=row.text("status_code") if row.integer("status_id") == 2 else None,
        token_id=canonical(row.text("actor.session.credential_uid")),
        session=row.text("actor.session.uid"),
        iss=row.text("actor.session.issuer", "actor.idp.url"),
        sub=row.text("actor.user.email_addr", "actor.user.name", "actor.user.uid"),
        tenant=row.text("actor.user.org.uid", "metadata.tenant_uid", "cloud.account.uid"),
        aud=[resource] if resource else None,
        client=row.text("actor.app_uid", "actor.application.uid"),
        iat=row.seconds("actor.session.created_time"),
        exp=row.seconds("actor.session.expiration_time"),
        relying_party=row.text("api.service.name"),
        channel=row.text("api.operation"),
        ip=row.address("src_endpoint.ip"),
    )


def to_ocsf(record: Record) -> dict[str, Any]:
    """A record as an event of OCSF; what the schema has no place for is in ``unmapped.immure``.

    Raises:
        ValueError: a row of the ledger, which is no event.
    """
    kind: Kind = kind_of(record)
    if not isinstance(record, (Acceptance, MailAccess, SignIn)):
        raise ValueError("a row of the ledger is no event")  # noqa: TRY004 - the type is known, the kind is not fit
    plain = {key: kept for key, kept in msgspec.structs.asdict(record).items() if kept is not None}
    made = _event(_AUTHENTICATION if isinstance(record, SignIn) else _API, record)
    made["unmapped"] = {"immure": msgspec.to_builtins({"kind": kind, **plain})}
    return made


def _event(kind: int, record: Acceptance | MailAccess | SignIn) -> dict[str, Any]:
    authentication = kind == _AUTHENTICATION
    activity = 1 if authentication else 2  # logon; read
    good = record.verdict == "accepted" if isinstance(record, Acceptance) else record.succeeded
    made: dict[str, Any] = {
        "class_uid": kind,
        "class_name": "Authentication" if authentication else "API Activity",
        "category_uid": kind // 1000,
        "category_name": "Identity & Access Management" if authentication else "Application Activity",
        "activity_id": activity,
        "type_uid": kind * 100 + activity,
        "severity_id": 1,
        "time": record.time // 1000,
        "status_id": 0 if good is None else 1 if good else 2,
        "metadata": {
            "version": VERSION,
            "uid": record.record_id,
            "log_name": record.source,
            "product": {"name": _PRODUCT, "vendor_name": _PRODUCT},
        },
        "src_endpoint": {"ip": record.ip} if record.ip else {"name": "unknown"},
    }
    user = _user(record)
    session = _without(uid=record.session, credential_uid=record.token_id)
    if authentication:
        made["user"] = user
        if session:
            made["session"] = session
        return made
    if isinstance(record, Acceptance):
        session |= _without(issuer=record.iss)
    made["actor"] = {"user": user, **({"session": session} if session else {})}
    operation = record.channel if isinstance(record, Acceptance) else getattr(record, "operation", None)
    made["api"] = {"operation": operation or "token"}
    return made


def _user(record: Acceptance | MailAccess | SignIn) -> dict[str, Any]:
    name = record.sub if isinstance(record, Acceptance) else record.user
    user = _without(name=name, uid=None if isinstance(record, Acceptance) else record.user_id)
    if record.tenant:
        user["org"] = {"uid": record.tenant}
    return user or {"name": "unknown"}


def _without(**members: str | None) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
