"""Okta's system log (``/api/v1/logs``): sign-ins, and the tokens that its authorization servers issued.

https://developer.okta.com/docs/reference/api/system-log/
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from immure.detections.records import SignIn
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.lookup import Lookup
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.values import text
from immure.detections.sources.wordset import wordset

_SIGN_INS: Final = (
    "user.session.start", "user.authentication.", "user.mfa.factor.", "policy.evaluate_sign_on",
    "app.generic.unauth",
)  # fmt: skip
_TOKENS: Final = (
    "app.oauth2.as.token.grant",
    "app.oauth2.token.grant",
    "app.oauth2.as.authorize",
    "app.oauth2.authorize",
)
_CONSENTS: Final = ("app.oauth2.as.consent.grant", "app.oauth2.consent.grant", "app.oauth2.as.consent")
#: First words of event types that are known (https://developer.okta.com/docs/reference/api/event-types/).
_KINDS: Final = wordset(
    """
    access ai analytics api app application certification core credential device directory event_hook group
    iam inline_hook mim network_zone oauth2 pki plan policy rate_limit resource scheduled_action security
    support system task threat user workflow workflows zone master_application self_service entitlement
    governance okta_org org hook idp certification_campaign custom_admin_role authenticator
    """
)
_MEMBERS: Final = wordset(
    """
    actor client device authenticationcontext displaymessage eventtype outcome published securitycontext
    severity debugcontext legacyeventtype transaction uuid version request target
    """
)


class OktaSystemLog(TextSource):
    """See the module."""

    name: ClassVar[str] = "okta-system-log"

    def detect(self, head: bytes, name: str) -> float:
        """By the names of members."""
        names = names_in(head)
        found = {"eventtype", "published", "outcome"} <= names and bool(
            names & {"debugcontext", "legacyeventtype", "uuid"}
        )
        return 0.95 if found else 0.0

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        row = Lookup(plain)
        event = row.text("eventtype")
        if event is None:
            out.lost("no-name", where)
            return
        kind = _event(event)
        if kind is None:
            if event.partition(".")[0] in _KINDS:
                out.passed(event)
            else:
                out.lost("operation", where, event)
            return
        time = row.moment("published")
        if time is None:
            out.lost("no-time", where, event)
            return
        for name in row.names() - _MEMBERS:
            out.partly("field", where, name)
        out.add(self._row(row, time, event, kind, raw))

    def _row(self, row: Lookup, time: int, event: str, kind: str, raw: bytes | str) -> SignIn:
        targets = [Lookup(one) for one in row.list("target") if isinstance(one, dict)]
        by_type = {(one.text("type") or "").lower(): one for one in reversed(targets)}
        token = by_type.get("access_token") or by_type.get("id_token")
        app = by_type.get("appinstance") or by_type.get("publicclientapp") or by_type.get("app")
        outcome = (row.text("outcome.result") or "").upper()
        client = row.text("actor.type") == "PublicClientApp"
        return SignIn(
            time=time,
            source=self.name,
            record_id=row.text("uuid") or made_name(raw),
            event=kind,
            flow=event,
            user=token.text("detailentry.subject") if client and token else row.text("actor.alternateid"),
            user_id=row.text("actor.id"),
            tenant=row.text("debugcontext.debugdata.authorizationserver", "authenticationcontext.issuer.id"),
            app=row.text("actor.id") if client else app.text("id") if app else None,
            app_name=row.text("actor.displayname")
            if client
            else app.text("displayname", "alternateid")
            if app
            else None,
            ip=row.address("client.ipaddress", "request.ipchain.0.ip"),
            user_agent=row.text("client.useragent.rawuseragent"),
            token_id=token.text("id") if token else None,
            token_type=token.text("type") if token else None,
            session=row.text(
                "authenticationcontext.externalsessionid", "authenticationcontext.rootsessionid"
            ),
            correlation=row.text("transaction.id"),
            succeeded={"SUCCESS": True, "ALLOW": True, "FAILURE": False, "DENY": False}.get(outcome),
            error=None if outcome in ("SUCCESS", "ALLOW", "") else text(row.get("outcome.reason")) or outcome,
        )


def _event(event: str) -> str | None:
    if event.startswith(_CONSENTS):
        return "grant"
    if event.startswith(_TOKENS):
        return "token-issued" if ".grant" in event else "sign-in"
    return "sign-in" if event.startswith(_SIGN_INS) else None
