"""A policy in words: what it lets happen, and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from immure.access.pattern import Pattern
from immure.access.policy import GlassRules, PeopleRules, Policy, Rule
from immure.access.webauthn.models import aaguid_text

_TPM: Final = {
    "required": "the key of a workstation is proven to be in a TPM",
    "preferred": "the key of a workstation may be proven to be in a TPM; one in software is taken too",
    "off": "evidence that the key of a workstation is in a TPM is not taken",
}


def policy_words(policy: Policy) -> Iterator[str]:
    """A line for each thing that a policy says; what it does not say by itself is said as it is then."""
    yield f"accounts begin with {policy.namespace}; corporate identities are none"
    party = policy.party
    yield f"hardware keys sign for {party.id} ({party.name}), on pages of {', '.join(party.origins)}"
    yield from _people(policy.people)
    for model in policy.models:
        pieces = ", each piece told from the others" if model.unique else ""
        yield f"hardware keys are taken of the model {model.name} ({aaguid_text(model.aaguid)}){pieces}"
    required = "must" if policy.metadata.required else "need not"
    yield f"models {required} be in imported metadata of the FIDO Alliance"
    known = len(policy.workstation_roots)
    yield (
        f"certificates of workstations lead to one of {known} authorities"
        if known
        else "certificates of workstations may be of any authority: whatever others approve is taken"
    )
    yield _TPM[policy.tpm.mode]
    yield f"a session lasts {_span(policy.session)} at most"
    for rule in policy.rules:
        yield _rule(rule)
    yield "nobody may do anything else"
    yield from _glass(policy.glass)


def _people(rules: PeopleRules) -> Iterator[str]:
    yield f"people are screened to one of these levels, the lowest first: {', '.join(rules.levels)}"
    yield f"everybody has at least {rules.least_keys} hardware keys"
    yield (
        f"{rules.approvers} others, screened to {rules.levels[-1]}{_roles(rules.approver_roles)}, approve "
        "who and what comes in: people, keys, screenings, workstations, policies"
    )
    yield f"a request can be approved for {_span(rules.open_for)}"


def _rule(rule: Rule) -> str:
    ticket = f" with a ticket {rule.ticket.text}" if rule.ticket else ""
    return (
        f"whoever is screened to {rule.level}{_roles(rule.roles)} may be let {' and '.join(rule.actions)} "
        f"{_patterns(rule.resources)} for {_hours(rule.hours)}{ticket}, if {rule.approvers} others approve "
        f"who are screened to it{_roles(rule.approver_roles)}"
    )


def _glass(rules: GlassRules) -> Iterator[str]:
    if not rules.resources or not rules.alarms:
        yield "nobody may break the glass"
        return
    review = "1 other reviews" if rules.reviewers == 1 else f"{rules.reviewers} others review"
    yield (
        f"whoever is screened to {rules.level} may break the glass for {_patterns(rules.resources)}, for "
        f"{_hours(rules.hours)}; {review} it"
    )
    yield f"then these are alarmed: {', '.join(rules.alarms)}"


def _roles(roles: Sequence[str]) -> str:
    return f" and known as {' or '.join(roles)}" if roles else ""


def _patterns(patterns: Sequence[Pattern]) -> str:
    return " or ".join(one.text for one in patterns)


def _span(span: timedelta) -> str:
    return _hours(int(span.total_seconds()) // 3600)


def _hours(number: int) -> str:
    return f"{number} hour" + ("" if number == 1 else "s")
