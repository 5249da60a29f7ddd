"""What an advisory says: a draft held against the timeline, and the counts of the blast radius.

No tenant and no account is named in it; what it says of them are counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from immure.auditlog.canonical import canonical
from immure.response.advisory.draft import Draft
from immure.response.errors import ConflictError, FormError
from immure.response.facts import conflicts
from immure.response.incident import Incident
from immure.response.notification.radius_in_force import has_radius, radius_in_force
from immure.response.radius import BlastRadius
from immure.response.timeline import Entry, corrected
from immure.scanning.report.words import count_words

#: The name of the finding that gives the counts of the blast radius.
EXTENT: Final = "extent"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the advisory says is so.

    Attributes:
        name: names it in all versions.
        text: what is said.
        confidence: how sure it is, as the timeline has it.
        entry: of the timeline, on which it rests.
    """

    name: str
    text: str
    confidence: str
    entry: int


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that an advisory says, but for its versions.

    Attributes:
        draft: what people wrote.
        incident: name of the incident.
        kid, issuer: of the key.
        findings: the draft's, and the extent.
        unknown: what nobody can tell, in sentences.
        radius: digest of the blast radius; empty if none was worked out.
    """

    draft: Draft
    incident: str
    kid: str
    issuer: str
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    radius: str

    def plain(self) -> dict[str, Any]:
        """As an object whose digest tells whether anything changed."""
        made = asdict(self)
        made["draft"].pop("claims")  # they are among the findings
        return {name: _lists(value) for name, value in made.items()}

    @property
    def digest(self) -> str:
        """SHA-256, in hex."""
        return hashlib.sha256(canonical(self.plain())).hexdigest()

    def said(self) -> dict[str, dict[str, Any]]:
        """What was said, by the names of findings: text and confidence."""
        return {one.name: {"text": one.text, "confidence": one.confidence} for one in self.findings}


def content_of(incident: Incident, draft: Draft) -> Content:
    """Hold a draft against the timeline.

    Raises:
        FormError: a finding rests on no entry, or is called as the extent is.
        ConflictError: it rests on an entry that was corrected, or that another fact contradicts; or two blast
            radii stand.
        RadiusError: the radius cannot be read.
    """
    entries = incident.entries()
    findings = [_finding(one.name, one.text, one.entry, entries) for one in draft.claims]
    if any(one.name == EXTENT for one in findings):
        raise FormError(f"findings.{EXTENT} is written by the program, from the blast radius")
    radius, unknown = None, ["How far the key reached has not been worked out yet."]
    if has_radius(entries, incident.opened.kid):
        force = radius_in_force(incident)
        radius, unknown = force.radius, _unknown(force.radius)
        sure = force.entry.confidence.value
        findings.append(Finding(EXTENT, extent(force.radius), sure, force.entry.sequence))
    return Content(
        draft, incident.name, incident.opened.kid, incident.opened.issuer, tuple(findings), tuple(unknown),
        "" if radius is None else radius.version,
    )  # fmt: skip


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Findings of an earlier version that are said otherwise now, or not any more."""
    return [
        {"finding": name, "was": was[name], "is": now.get(name)} for name in was if was[name] != now.get(name)
    ]


def extent(radius: BlastRadius) -> str:
    """The counts of a radius, in sentences; each a lower bound where something is unknown."""
    least = "at least " if radius.at_least else ""
    counted = (
        "accepted that the issuer had not issued" if radius.judged == "ledger" else "accepted under this key"
    )
    affected = sum(one.standing == "affected" for one in radius.tenants)
    unclear = sum(one.standing == "unknown" for one in radius.tenants)
    parties = dict.fromkeys(("yes", "no", "unknown"), 0)
    for party in radius.relying_parties:
        parties[party.would_accept] += 1
    text = f"Tokens {counted}: {least}{radius.tokens:,}. Tenants affected: {least}{affected:,}"
    text += f"; of {count_words(unclear, 'more tenant')} it is not known." if unclear else "."
    if radius.relying_parties:
        text += (
            f" Relying parties that would have accepted forged tokens: {parties['yes']:,}; "
            f"that would not: {parties['no']:,}; of which it is not known: {parties['unknown']:,}."
        )
    return text


def _unknown(radius: BlastRadius) -> list[str]:
    found = []
    if radius.unknown:
        found.append(f"Of {count_words(len(radius.unknown), 'interval')} nobody can tell what happened.")
    tenants = sum(bool(one.unknown) for one in radius.tenants)
    if tenants:
        found.append(f"The logs of {count_words(tenants, 'tenant')} have gaps.")
    parties = sum(bool(one.unknown) for one in radius.relying_parties)
    if parties:
        found.append(f"The logs of {count_words(parties, 'relying party', 'relying parties')} have gaps.")
    return found


def _finding(name: str, text: str, sequence: int, entries: tuple[Entry, ...]) -> Finding:
    if sequence >= len(entries):
        raise FormError(f"findings.{name} rests on entry {sequence}, and there is none")
    entry = entries[sequence]
    if entry.kind not in ("opened", "fact", "correction", "evidence", "step"):
        raise FormError(f"findings.{name} rests on entry {sequence}, which is a {entry.kind} and no fact")
    if later := corrected(entries).get(sequence):
        raise ConflictError(
            f"findings.{name} rests on entry {sequence}, which entry {later[-1]} corrects: say what is so now"
        )
    for conflict in conflicts(entries):
        said = [one.sequence for one in conflict.entries]
        if sequence in said:
            others = ", ".join(str(one) for one in said if one != sequence)
            raise ConflictError(
                f"findings.{name} rests on entry {sequence}, and entry {others} says otherwise: "
                "correct the one that is wrong"
            )
    return Finding(name, text, entry.confidence.value, sequence)


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_lists(part) for part in value]
    return value
