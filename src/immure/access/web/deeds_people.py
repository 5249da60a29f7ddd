"""Deeds about people, their screening, keys and workstations, and about the policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.room import deny
from immure.access.texts import moment
from immure.access.tpm.evidence import MOST_BYTES, load_json
from immure.access.web.forms import (
    MOST_PEM,
    REASON,
    SCREENING,
    WHOSE,
    Deed,
    Field,
    Here,
    Values,
    day,
    screening_of,
    words_of,
)
from immure.auditlog import JSON
from immure.errors import InputError

#: Characters of a policy in a form. ``immure access policy propose`` takes longer ones.
MOST_POLICY: Final = 60_000


def _enrol(door: Door, here: Here, values: Values) -> Ceremony:
    return door.request_enrolment(
        here.account,
        new=values["account"],
        person=values["person"],
        roles=words_of(values["roles"]),
        screening=screening_of(values),
    )


def _screening(door: Door, here: Here, values: Values) -> Ceremony:
    subject: dict[str, JSON] = {"account": values["account"], "screening": screening_of(values)}
    return door.begin_request(here.account, "screening", subject)


def _key(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_request(here.account, "key", {"account": values["account"]})


def _lost_key(door: Door, here: Here, values: Values) -> Ceremony:
    since = moment(day(values["since"], values["time"] or "00:00"))
    return door.begin_lost_key(here.account, values["credential"], since)


def _workstation(door: Door, here: Here, values: Values) -> Ceremony:
    certificate = values["certificate"].encode() or here.certificate
    if not certificate:
        deny("workstation", "paste a certificate: this connection shows none of a workstation")
    evidence = load_json(values["evidence"].encode()) if values["evidence"].strip() else None
    if evidence is not None and not isinstance(evidence, dict):
        raise InputError("the evidence is no object of JSON")
    return door.request_workstation(
        here.account, holder=values["account"], certificate=certificate, evidence=evidence
    )


def _retire(door: Door, here: Here, values: Values) -> Ceremony:
    body = {"workstation": values["workstation"], "reason": values["reason"]}
    return door.begin("retire", here.account, body)


def _suspend(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_suspension(here.account, values["account"], values["reason"])


def _leave(door: Door, here: Here, values: Values) -> Ceremony:
    return door.begin_leaving(here.account, values["account"], values["reason"])


def _reinstate(door: Door, here: Here, values: Values) -> Ceremony:
    subject = {"account": values["account"], "reason": values["reason"]}
    return door.begin_request(here.account, "reinstate", subject)


def _policy(door: Door, here: Here, values: Values) -> Ceremony:
    return door.request_policy(here.account, values["text"])


_CERTIFICATE: Final = Field(
    "certificate",
    "Certificate",
    "In PEM, of the client certificate with which it connects. Empty: the one that this connection shows.",
    "code",
    needed=False,
    most=MOST_PEM,
)
_EVIDENCE: Final = Field(
    "evidence",
    "Evidence of its TPM",
    "What immure access tpm verify has made. Empty: the key is taken as one in software.",
    "code",
    needed=False,
    most=MOST_BYTES,
)
_SINCE: Final = (
    Field("since", "In other hands since", "The day, in UTC, or the one that is feared.", "date"),
    Field("time", "At what time", "UTC; empty: since that day began.", "time", needed=False),
)

PEOPLE_DEEDS: Final[Mapping[str, Deed]] = {
    "enrol": Deed(
        "Enrol a person",
        "They register their keys next, and then others approve. Results of the screening are not asked for.",
        (
            Field("account", "New account", "As in prd-alan."),
            Field("person", "Person", "What whoever screens calls them; no mail address."),
            Field("roles", "Roles", "With blanks between them.", needed=False),
            *SCREENING,
        ),
        _enrol,
    ),
    "screening": Deed(
        "Record a screening",
        "A newer record for somebody who is in the room. Others approve, and then it counts.",
        (WHOSE, *SCREENING),
        _screening,
    ),
    "key": Deed(
        "Ask for one more hardware key",
        "It is registered next, and then others approve.",
        (WHOSE,),
        _key,
    ),
    "lost-key": Deed(
        "Report a hardware key as lost",
        "At once: what it has asked for, approved or opened since then is undone.",
        (Field("credential", "Hardware key", "The id of its credential."), *_SINCE),
        _lost_key,
    ),
    "workstation": Deed(
        "Bind a workstation",
        "Sessions of a person can be bound to it. Others approve.",
        (WHOSE, _CERTIFICATE, _EVIDENCE),
        _workstation,
    ),
    "retire": Deed(
        "Retire a workstation",
        "At once: sessions from it end. Others must approve before it comes back.",
        (Field("workstation", "Workstation", "SHA-256 of its certificate."), REASON),
        _retire,
    ),
    "suspend": Deed(
        "Suspend a person",
        "At once: their grants are revoked, their sessions end. Two others can undo it.",
        (WHOSE, REASON),
        _suspend,
    ),
    "leave": Deed(
        "Let a person go",
        "At once, and for good: the account is never used again.",
        (WHOSE, REASON),
        _leave,
    ),
    "reinstate": Deed(
        "Let a suspended person come back",
        "Others approve. Grants that were revoked stay so.",
        (WHOSE, REASON),
        _reinstate,
    ),
    "policy": Deed(
        "Propose another policy",
        "Others approve, under the policy in force. Requests that are still open then are denied.",
        (Field("text", "Policy", "All of it, in TOML.", "code", most=MOST_POLICY),),
        _policy,
    ),
}
