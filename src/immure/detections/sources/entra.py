"""Sign-in logs of Entra ID: Microsoft Graph, Sentinel's ``SigninLogs`` and its siblings, Azure's diagnostic
settings (a record within ``properties``), and the portal's JSON and CSV.

https://learn.microsoft.com/graph/api/resources/signin,
https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from immure.detections.records import SignIn
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.lookup import Lookup, lowered, opened
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.token_ids import canonical
from immure.detections.sources.wordset import wordset

_CATEGORY: Final = re.compile(r"(?:\w*sign-?in ?logs|adfssigninlogs)", re.IGNORECASE)
_TITLE: Final = re.compile(r"[^a-z0-9@._]+")
_TIMES: Final = ("createddatetime", "timegenerated", "dateutc", "date", "time", "timestamp")
_IDS: Final = ("id", "requestid", "originalrequestid", "reportid")
_FLOWS: Final = {
    "signinlogs": "interactiveUser",
    "noninteractiveusersigninlogs": "nonInteractiveUser",
    "aadnoninteractiveusersigninlogs": "nonInteractiveUser",
    "serviceprincipalsigninlogs": "servicePrincipal",
    "aadserviceprincipalsigninlogs": "servicePrincipal",
    "managedidentitysigninlogs": "managedIdentity",
    "aadmanagedidentitysigninlogs": "managedIdentity",
    "adfssigninlogs": "adfs",
}
#: Members of the documentation that are read or of no concern. (Portal titles come without their spaces.)
_KNOWN: Final = wordset(
    """
    id createddatetime userdisplayname userprincipalname userid appid appdisplayname appownertenantid
    ipaddress clientappused useragent correlationid conditionalaccessstatus originalrequestid isinteractive
    tokenissuername tokenissuertype clientcredentialtype processingtimeinmilliseconds riskdetail
    risklevelaggregated risklevelduringsignin riskstate riskeventtypes riskeventtypes_v2 resourcedisplayname
    resourceid resourcetenantid hometenantid hometenantname tenantid authenticationdetails
    authenticationrequirement authenticationrequirementpolicies authenticationmethodsused
    authenticationprocessingdetails authenticationprotocol authenticationcontextclassreferences
    authenticationappdevicedetails authenticationapppolicyevaluationdetails alternatesigninname
    autonomoussystemnumber appliedconditionalaccesspolicies appliedeventlisteners azureresourceid
    conditionalaccessaudiences crosstenantaccesstype devicedetail federatedcredentialid flaggedforreview
    globalsecureaccessipaddress incomingtokentype isthroughglobalsecureaccess istenantrestricted location
    locationdetails managedserviceidentity mfadetail networklocationdetails originaltransfermethod
    privatelinkdetails resourceownertenantid resourceserviceprincipalid serviceprincipalcredentialkeyid
    serviceprincipalcredentialthumbprint serviceprincipalid serviceprincipalname sessionid
    sessionlifetimepolicies signineventtypes signinidentifier signinidentifiertype
    signintokenprotectionstatus ssoextensionversion status tokenprotectionstatusdetails
    uniquetokenidentifier usertype agent agentidentityblueprintid timegenerated operationname
    operationversion category resulttype resultsignature resultdescription durationms resourcegroup
    resourceprovider identity level type sourcesystem _resourceid _subscriptionid _itemid _billedsize
    _isbillable aaduserid managementgroupname signinbondtypes clientappusedv2 time tenant properties
    resource calleripaddress servicedependencies uniquetokenid homeaccount sourceappclientid
    authenticationmethod authenticationstrengths risklastupdateddatetime issessionlifetimeenforced flowtype
    devicetrust dateutc requestid user username application applicationid resourceownerid clientapp
    ipaddressseenbyresource failurereason signinerrorcode mfaresult mfaauthmethod mfaauthdetail
    operatingsystem browser devicebrowser deviceid compliant managed jointype multifactorauthresult
    multifactorauthauthmethod multifactorauthauthdetail crosstenantaccesstypes incomingtokentypes
    authenticationprotocols lastdatetime latency additionaldetails usertypes tokenissuertypes
    signinidentifiers sessionids associatedresourceid clientcredentials throughglobalsecureaccess
    globalsecureaccess tokenprotectionsigninsession tokenprotectionsigninsessionstatuscode date resourceip
    federatedtokenid federatedtokenissuer odata.type @odata.type aadtenantid resourceidentity
    """
)


class EntraSignIns(TextSource):
    """See the module."""

    name: ClassVar[str] = "entra-signin"

    def detect(self, head: bytes, name: str) -> float:
        """By the names of members and columns."""
        names = {_TITLE.sub("", one) for one in names_in(head)}
        if names & {"uniquetokenidentifier", "incomingtokentype"}:
            return 0.95
        if {"conditionalaccessstatus", "appdisplayname"} <= names or {"clientappused", "appid"} <= names:
            return 0.9
        if {"dateutc", "requestid"} <= names and names & {"application", "username"}:
            return 0.9
        return 0.0

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        low = _flattened(plain)
        row = Lookup(low)
        category = row.text("category", "type", "operationname") or ""
        if (
            "properties" in low
            and not _CATEGORY.fullmatch(category.replace(" activity", " logs"))
            and not _is_one(row)
        ):
            out.passed(category or "(no category)")
            return
        time = row.moment(*_TIMES)
        if time is None:
            out.lost("no-time", where)
            return
        if not _is_one(row):
            out.lost("no-name", where, category)
            return
        for name in row.names() - _KNOWN:
            out.partly("field", where, name)
        out.add(self._row(row, time, category, raw))

    def _row(self, row: Lookup, time: int, category: str, raw: bytes | str) -> SignIn:
        error = row.text("status.errorcode", "signinerrorcode", "resulttype")
        return SignIn(
            time=time,
            source=self.name,
            record_id=row.text(*_IDS) or made_name(raw),
            flow=_flow(row, category),
            user=row.text("userprincipalname", "username", "user", "serviceprincipalname"),
            user_id=row.text("userid", "serviceprincipalid"),
            tenant=row.text("tenantid", "aadtenantid", "hometenantid"),
            resource_tenant=row.text("resourcetenantid"),
            app=row.text("appid", "applicationid"),
            app_name=row.text("appdisplayname", "application"),
            resource=row.text("resourceid", "resourceidentity"),
            resource_name=row.text("resourcedisplayname", "resource"),
            ip=row.address("ipaddress", "calleripaddress"),
            user_agent=row.text("useragent"),
            token_id=canonical(row.text("uniquetokenidentifier", "uniquetokenid")),
            token_type=_none(row.text("incomingtokentype")),
            session=row.text("sessionid"),
            correlation=row.text("correlationid"),
            succeeded=_succeeded(row, error),
            error=None if error in (None, "0") else error,
        )


def _flattened(plain: dict[str, Any]) -> dict[str, Any]:
    """With small names without spaces and signs, and what is within ``properties`` among them, first."""
    low = {_TITLE.sub("", key): kept for key, kept in lowered(plain).items()}
    inner = opened(low.get("properties"))
    if isinstance(inner, dict):
        low = {**low, **{key: kept for key, kept in lowered(inner).items() if kept not in (None, "")}}
    return low


def _is_one(row: Lookup) -> bool:
    """Whether this is a sign-in at all."""
    who = row.get(
        "userprincipalname", "userid", "username", "user", "serviceprincipalid", "serviceprincipalname"
    )
    return who is not None and row.get("appid", "appdisplayname", "application", "applicationid") is not None


def _flow(row: Lookup, category: str) -> str | None:
    events = row.list("signineventtypes")
    if events and isinstance(events[0], str):
        return events[0]
    named = _FLOWS.get(category.lower().replace(" ", "").replace("-", ""))
    if named is not None:
        return named
    interactive = row.flag("isinteractive")
    return None if interactive is None else "interactiveUser" if interactive else "nonInteractiveUser"


def _succeeded(row: Lookup, error: str | None) -> bool | None:
    if error is not None:
        return error == "0"
    status = (row.text("status", "resultsignature") or "").lower()
    return True if status in ("success", "succeeded") else False if status in ("failure", "failed") else None


def _none(value: str | None) -> str | None:
    return None if value is None or value.lower() == "none" else value
