"""Google Workspace's Reports API, ``activities.list`` for ``login``, ``token`` and others.

One activity has one time, one actor and one or more events; each event is a record. A use of a token
(``activity`` of ``token``) is an acceptance: it names the client, and no token.
https://developers.google.com/admin-sdk/reports/reference/rest/v1/activities
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from immure.detections.records import Acceptance, SignIn
from immure.detections.sources.decoding import made_name
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.lookup import Lookup
from immure.detections.sources.source import TextSource, names_in
from immure.detections.sources.values import text
from immure.detections.sources.wordset import wordset

_LOGINS: Final = {
    "login_success": True, "login_failure": False, "login_verification": None, "login_challenge": None,
    "risky_sensitive_action_allowed": True, "risky_sensitive_action_blocked": False, "saml_success": None,
}  # fmt: skip
#: Applications of which every other event is of no concern.
_APPLICATIONS: Final = wordset(
    """
    login token saml admin calendar chat drive gcp gplus groups groups_enterprise meet mobile rules
    user_accounts context_aware_access chrome data_studio keep vault gmail classroom jamboard
    access_transparency gemini_in_workspace_apps
    """
)
_MEMBERS: Final = wordset(
    "kind id etag actor events event ownerdomain ipaddress networkinfo resourcedetails applicationinfo status"
)


class GoogleWorkspace(TextSource):
    """See the module."""

    name: ClassVar[str] = "google-workspace"

    def detect(self, head: bytes, name: str) -> float:
        """By the names of members."""
        if b"admin#reports#activit" in head:
            return 0.98
        return 0.9 if {"applicationname", "events", "actor", "uniquequalifier"} <= names_in(head) else 0.0

    def record(self, plain: dict[str, Any], where: Where, raw: bytes | str, out: Gathering) -> None:
        """See :meth:`TextSource.record`."""
        row = Lookup(plain)
        events = [one for one in row.list("events") if isinstance(one, dict)]
        application = (row.text("id.applicationname") or "").lower()
        if not events or not application:
            out.lost("no-name", where)
            return
        time = row.moment("id.time")
        for name in row.names() - _MEMBERS:
            out.partly("field", where, name)
        out.read += len(events) - 1
        name = _name(row) or made_name(raw)
        for number, event in enumerate(events):
            self._event(row, event, application, time, f"{name}/{number}" if number else name, where, out)

    def _event(
        self, row: Lookup, plain: dict[str, Any], application: str, time: int | None, name: str, where: Where,
        out: Gathering,
    ) -> None:  # fmt: skip
        event = Lookup(plain)
        word = (event.text("name") or "").lower()
        parameters = _parameters(event)
        wanted = (application == "login" and word in _LOGINS) or (
            application == "token" and word in ("authorize", "activity", "request")
        ) or application == "saml"  # fmt: skip
        if not word:
            out.lost("no-name", where, application)
        elif not wanted and application in _APPLICATIONS:
            out.passed(f"{application}: {word}")
        elif not wanted:
            out.lost("operation", where, f"{application}: {word}")
        elif time is None:
            out.lost("no-time", where, f"{application}: {word}")
        elif application == "token" and word == "activity":
            out.add(
                Acceptance(
                    time=time, source=self.name, record_id=name, verdict="accepted",
                    sub=row.text("actor.email"), tenant=_customer(row), client=parameters.get("client_id"),
                    aud=[parameters["api_name"]] if "api_name" in parameters else None,
                    relying_party=parameters.get("method_name"), channel="api", ip=row.address("ipaddress"),
                )
            )  # fmt: skip
        else:
            out.add(self._sign_in(row, parameters, application, time, word, name))

    def _sign_in(
        self, row: Lookup, parameters: dict[str, str], application: str, time: int, word: str, name: str
    ) -> SignIn:
        succeeded = _LOGINS.get(word) if application == "login" else None
        return SignIn(
            time=time,
            source=self.name,
            record_id=name,
            event="grant" if word == "authorize" else "sign-in",
            flow=f"{application}: {word}",
            user=row.text("actor.email"),
            user_id=row.text("actor.profileid"),
            tenant=_customer(row),
            app=parameters.get("client_id") or parameters.get("application_name"),
            app_name=parameters.get("app_name"),
            ip=row.address("ipaddress"),
            token_type=parameters.get("login_type"),
            succeeded=succeeded,
            error=parameters.get("login_failure_type") or parameters.get("failure_type"),
        )


def _name(row: Lookup) -> str | None:
    qualifier = row.text("id.uniquequalifier")
    return None if qualifier is None else f"{row.text('id.time')}/{qualifier}"


def _customer(row: Lookup) -> str | None:
    return row.text("id.customerid", "ownerdomain")


def _parameters(event: Lookup) -> dict[str, str]:
    """Names and values; of several values the first."""
    made: dict[str, str] = {}
    for plain in event.list("parameters"):
        if isinstance(plain, dict):
            one = Lookup(plain)
            value = one.text("value", "intvalue", "boolvalue", "multivalue.0")
            name = text(one.get("name"))
            if name is not None and value is not None:
                made[name.lower()] = value
    return made
