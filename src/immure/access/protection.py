"""Where the key of a workstation is: in a TPM, as far as that is proven, or in software.

The policy says whether that must be proven (``workstations.tpm``). What proves it is in the request that
others approve, and so in the log: it is looked at again by whoever verifies that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from immure.access.policy import TpmRules
from immure.access.records import Workstation, WorkstationKey
from immure.access.room import Event, Room, deny
from immure.access.texts import decode, encode, moment
from immure.access.tpm.challenges import Challenges, prove
from immure.access.tpm.evidence import Proven, same_key
from immure.access.webauthn.chain import der, parse_certificate
from immure.access.workstation import parse_workstation
from immure.auditlog import JSON
from immure.errors import InputError, UsageError

TPM: Final = "tpm"
SOFTWARE: Final = "software"
#: Members of a request that are about this; a request from before there were any has none.
MEMBERS: Final = ("protection", "tpm", "evidence")


def protected_subject(
    challenges: Challenges,
    certificate: bytes,
    evidence: Mapping[str, Any] | None,
    rules: TpmRules,
    at: datetime,
) -> dict[str, JSON]:
    """The members of a request for a workstation with this certificate (PEM or DER) that say where its key
    is. Says no if the evidence was not made in this room."""
    if evidence is None:
        return {} if rules.mode == "off" else {"protection": SOFTWARE}
    challenges.check_proven(evidence, at)
    try:
        data, found = der(parse_workstation(certificate)), prove(evidence, rules.roots, at)
    except (InputError, UsageError) as error:
        deny("tpm", error.reason)
    return {
        "protection": TPM,
        "tpm": {"model": found.model, "endorsement": found.endorsement},
        "evidence": {"certificate": encode(data), "proof": dict(evidence)},
    }


def check_protection(room: Room, subject: Mapping[str, Any], at: datetime) -> None:
    """See that what a request says of the key is so, and enough; says no if not (``tpm``)."""
    mode = room.policy.tpm.mode
    protection = subject.get("protection", SOFTWARE)
    proven = {name for name in ("tpm", "evidence") if name in subject}
    if protection == SOFTWARE and not proven:
        if mode == "required":
            deny("tpm", "the policy demands that the key of a workstation is in a TPM, and nothing proves it")
        return
    if protection != TPM or len(proven) != 2:
        deny("document", "a key is in software, or in a TPM with evidence")
    if mode == "off":
        deny("tpm", "the policy takes no evidence of TPMs")
    _check_evidence(room, subject, at)


def _check_evidence(room: Room, subject: Mapping[str, Any], at: datetime) -> None:
    evidence = subject["evidence"]
    if not isinstance(evidence, Mapping) or set(evidence) != {"certificate", "proof"}:
        deny("document", "evidence is a certificate and a proof, and nothing else")
    try:
        data = decode(str(evidence["certificate"]))
        certificate, proven = parse_certificate(data), prove(evidence["proof"], room.policy.tpm.roots, at)
    except InputError as error:
        deny("tpm", error.reason)
    document = evidence["proof"]["document"]
    if (document["room"], document["account"]) != (room.id, subject["account"]):
        deny("tpm", "the TPM has signed for another room, or for another account")
    if moment(document["issued"]) > at:
        deny("tpm", "the TPM has signed a challenge of the future")
    if hashlib.sha256(data).hexdigest() != subject["workstation"]:
        deny("tpm", "the evidence has another certificate than the workstation")
    if not same_key(certificate.public_key(), proven.key):
        deny("tpm", "the certificate of the workstation is for another key than the one in the TPM")
    if subject["tpm"] != {"model": proven.model, "endorsement": proven.endorsement}:
        deny("tpm", "the request names another TPM than the one that has signed")
    _check_alone(room, proven, str(subject["account"]), at)


def _check_alone(room: Room, proven: Proven, account: str, at: datetime) -> None:
    """A workstation is one person's: also under another certificate."""
    for one in room.rows.find(WorkstationKey, about=proven.endorsement):
        other = room.rows.get(Workstation, one.id)
        in_use = other is not None and other.state == "active" and at < other.ends
        if other is not None and in_use and other.account != account:
            deny("workstation", f"this TPM is that of a workstation of {other.account}")


def note_protection(room: Room, event: Event, subject: Mapping[str, Any]) -> None:
    """Keep where the key of a workstation is, now that others have approved it."""
    if "protection" not in subject:
        return
    tpm: Mapping[str, Any] = subject.get("tpm") or {}
    room.rows.put(
        WorkstationKey(
            id=str(subject["workstation"]),
            state=str(subject["protection"]),
            endorsement=str(tpm.get("endorsement", "")),
            model=str(tpm.get("model", "")),
            since=event.at,
        )
    )


def protection_of(room: Room, workstation: str) -> str:
    """``tpm`` or ``software``."""
    known = room.rows.get(WorkstationKey, workstation)
    return SOFTWARE if known is None else known.state


def protection_fault(room: Room, workstation: str) -> str | None:
    """Why a workstation may not be used under the policy in force, which may be younger than it; None if it
    may."""
    if room.policy.tpm.mode == "required" and protection_of(room, workstation) != TPM:
        return "the policy demands that the key of a workstation is in a TPM, and this one's is not"
    return None
