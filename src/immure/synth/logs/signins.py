"""Sign-in logs of Entra ID, AD FS, Okta and Google Workspace, each record in the shapes of its exports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from xml.sax.saxutils import escape

from immure.synth.logs.mailbox import uti


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One sign-in.

    Attributes:
        time: whole seconds since 1970.
        record, tenant, token, session: identifiers.
        user, ip: who, from where.
        app, resource: identifiers of client and resource.
        error: code of the failure; 0 if there is none.
    """

    time: int
    record: UUID
    tenant: UUID
    token: UUID
    session: UUID
    user: str
    ip: str
    app: str
    resource: str
    error: int = 0


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def graph(one: SignIn) -> dict[str, Any]:
    """``signIn`` of Microsoft Graph."""
    return {
        "id": str(one.record),
        "createdDateTime": _iso(one.time),
        "userPrincipalName": one.user,
        "userId": str(UUID(int=one.record.int ^ 1)),
        "appId": one.app,
        "appDisplayName": "Mail",
        "ipAddress": one.ip,
        "clientAppUsed": "Browser",
        "correlationId": str(one.session),
        "conditionalAccessStatus": "notApplied",
        "isInteractive": True,
        "resourceDisplayName": "Exchange",
        "resourceId": one.resource,
        "resourceTenantId": str(one.tenant),
        "homeTenantId": str(one.tenant),
        "incomingTokenType": "none",
        "uniqueTokenIdentifier": uti(one.token),
        "sessionId": str(one.session),
        "signInEventTypes": ["interactiveUser"],
        "status": {"errorCode": one.error, "failureReason": "Other.", "additionalDetails": None},
    }


def sentinel(one: SignIn) -> dict[str, Any]:
    """A row of Sentinel's table ``SigninLogs``."""
    made = {key[:1].upper() + key[1:]: kept for key, kept in graph(one).items() if key != "signInEventTypes"}
    made |= {"IPAddress": made.pop("IpAddress"), "ResourceIdentity": made.pop("ResourceId")}
    made["TimeGenerated"] = made.pop("CreatedDateTime")
    made["Status"] = json.dumps(made["Status"])
    return {**made, "Category": "SignInLogs", "ResultType": str(one.error), "AADTenantId": str(one.tenant)}


def diagnostic(one: SignIn) -> dict[str, Any]:
    """A record of Azure's diagnostic settings."""
    return {
        "time": _iso(one.time),
        "resourceId": f"/tenants/{one.tenant}/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity",
        "category": "SignInLogs",
        "tenantId": str(one.tenant),
        "resultType": str(one.error),
        "callerIpAddress": one.ip,
        "properties": graph(one),
    }


def portal_row(one: SignIn) -> dict[str, str]:
    """A row of the CSV that the portal gives, by its titles."""
    return {
        "Date (UTC)": _iso(one.time),
        "Request ID": str(one.record),
        "Correlation ID": str(one.session),
        "User": "Ada",
        "Username": one.user,
        "User ID": str(UUID(int=one.record.int ^ 1)),
        "Application": "Mail",
        "Application ID": one.app,
        "Resource": "Exchange",
        "Resource ID": one.resource,
        "Home tenant ID": str(one.tenant),
        "IP address": one.ip,
        "Status": "Failure" if one.error else "Success",
        "Sign-in error code": str(one.error) if one.error else "",
        "Unique token identifier": uti(one.token),
        "Incoming token type": "None",
        "Session ID": str(one.session),
    }


def audit_document(one: SignIn, *, kind: str = "AppToken") -> str:
    """The document of AD FS within an event 1200 (or 1202, with another ``kind``)."""
    return f"""<?xml version="1.0" encoding="utf-16"?>
<AuditBase xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:type="{kind}Audit"><AuditType>{kind}</AuditType><AuditResult>Success</AuditResult>
<FailureType>None</FailureType><ErrorCode>N/A</ErrorCode><ContextComponents>
<Component xsi:type="ResourceAuditComponent"><RelyingParty>{escape(one.resource)}</RelyingParty>
<ClaimsProvider>N/A</ClaimsProvider><UserId>{escape(one.user)}</UserId></Component>
<Component xsi:type="ProtocolAuditComponent"><OAuthClientId>{escape(one.app)}</OAuthClientId></Component>
<Component xsi:type="RequestAuditComponent"><Server>http://sts.example/adfs/services/trust</Server>
<AuthProtocol>OAuth</AuthProtocol><IpAddress>{one.ip}</IpAddress><ForwardedIpAddress />
<UserAgentString>curl</UserAgentString></Component></ContextComponents></AuditBase>"""


def windows_xml(one: SignIn, event: int = 1200) -> str:
    """The event as Windows writes it."""
    return (
        '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
        f'<Provider Name="AD FS Auditing"/><EventID>{event}</EventID>'
        f'<TimeCreated SystemTime="{_iso(one.time)}"/>'
        f"<EventRecordID>{one.record.int % 10**9}</EventRecordID><Computer>sts.example</Computer></System>"
        f"<EventData><Data>{one.session}</Data><Data>{escape(audit_document(one))}</Data></EventData></Event>"
    )


def winlogbeat(one: SignIn, event: int = 1200) -> dict[str, Any]:
    """The event as Winlogbeat ships it."""
    return {
        "@timestamp": _iso(one.time),
        "winlog": {
            "event_id": event,
            "provider_name": "AD FS Auditing",
            "record_id": one.record.int % 10**9,
            "computer_name": "sts.example",
            "event_data": {"param1": str(one.session), "param2": audit_document(one)},
        },
    }


def okta(one: SignIn, event: str = "user.session.start") -> dict[str, Any]:
    """A record of Okta's system log."""
    made: dict[str, Any] = {
        "uuid": str(one.record),
        "published": _iso(one.time).replace("Z", ".123Z"),
        "eventType": event,
        "legacyEventType": "core.user_auth.login_success",
        "version": "0",
        "severity": "INFO",
        "actor": {"id": "00u1", "type": "User", "alternateId": one.user, "displayName": "Ada"},
        "client": {"ipAddress": one.ip, "userAgent": {"rawUserAgent": "curl"}},
        "authenticationContext": {"externalSessionId": str(one.session)},
        "outcome": {
            "result": "FAILURE" if one.error else "SUCCESS",
            "reason": "INVALID" if one.error else "",
        },
        "transaction": {"id": "t1", "type": "WEB"},
        "debugContext": {"debugData": {"authorizationServer": str(one.tenant)}},
        "target": [{"id": one.app, "type": "AppInstance", "displayName": "Mail"}],
    }
    if "grant" in event:
        made["actor"] = {"id": one.app, "type": "PublicClientApp", "displayName": "Mail"}
        made["target"] = [
            {"id": f"AT.{one.token.hex}", "type": "access_token", "detailEntry": {"subject": one.user}},
        ]
    return made


def google(one: SignIn, application: str = "login", event: str = "login_success") -> dict[str, Any]:
    """An activity of the Reports API."""
    parameters = [{"name": "client_id", "value": one.app}, {"name": "api_name", "value": "gmail"}]
    if application == "login":
        parameters = [{"name": "login_type", "value": "exchange"}]
    return {
        "kind": "admin#reports#activity",
        "id": {
            "time": _iso(one.time),
            "uniqueQualifier": str(one.record.int % 10**18),
            "applicationName": application,
            "customerId": str(one.tenant),
        },
        "etag": '"x"',
        "actor": {"email": one.user, "profileId": "1"},
        "ipAddress": one.ip,
        "events": [{"type": application, "name": event, "parameters": parameters}],
    }
