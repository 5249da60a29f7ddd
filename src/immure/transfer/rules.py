"""The rules of the gate: each looks at one thing, and says nothing or why not.

>>> [rule.name for rule in RULES][:3]
['clearance', 'signers', 'subject']

Every rule is asked every time, so that a refusal names all that is wrong at once. Names are stable: they
stand in logs, in errors, and in users' tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from immure.attest.clearance_proof import PPM, Residue
from immure.attest.verify import SKEW
from immure.clock import to_rfc3339
from immure.transfer.case import Case, Decision, NotShown, Outcome, Shown
from immure.transfer.policy import Policy

_LISTED: Final = 3

#: Say why not, or nothing.
Check = Callable[[Policy, Case], str | None]
ClearanceCheck = Callable[[Policy, Case, Shown], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, what it asks, and in words what must hold."""

    name: str
    words: str
    check: Check | None = None
    clearance_check: ClearanceCheck | None = None


def decide(policy: Policy, case: Case) -> Decision:
    """Ask every rule; those about the clearance only if there is one."""
    outcomes = []
    if isinstance(case.shown, NotShown):
        outcomes.append(Outcome(case.shown.rule, False, case.shown.reason))
    for rule in RULES:
        if rule.check is not None:
            reason = rule.check(policy, case)
        elif rule.clearance_check is not None and isinstance(case.shown, Shown):
            reason = rule.clearance_check(policy, case, case.shown)
        else:
            continue
        outcomes.append(Outcome(rule.name, reason is None, reason or ""))
    return Decision(case, policy.version, tuple(outcomes))


def _clearance(policy: Policy, case: Case, shown: Shown) -> str | None:
    return None  # without one, decide() says no in this rule's name


def _signers(policy: Policy, case: Case, shown: Shown) -> str | None:
    count, needed = len(shown.signers & policy.signers.allowed), policy.signers.threshold
    return None if count >= needed else f"{count} of {needed} signatures are by keys that may sign"


def _subject(policy: Policy, case: Case, shown: Shown) -> str | None:
    if shown.subject == case.sha256:
        return None
    return f"the clearance is for other bytes (sha256:{shown.subject}) than these (sha256:{case.sha256})"


def _size(policy: Policy, case: Case, shown: Shown) -> str | None:
    cleared = shown.clearance.dump.size
    return None if cleared == case.size else f"cleared were {cleared} bytes, these are {case.size}"


def _issued(policy: Policy, case: Case, shown: Shown) -> str | None:
    issued = shown.clearance.issued
    return (
        None
        if issued <= case.now + SKEW
        else f"issued {to_rfc3339(issued)}, later than now: a clock is wrong"
    )


def _expired(policy: Policy, case: Case, shown: Shown) -> str | None:
    expires = shown.clearance.expires
    return None if case.now < expires else f"expired {to_rfc3339(expires)}"


def _clearance_age(policy: Policy, case: Case, shown: Shown) -> str | None:
    issued, oldest = shown.clearance.issued, policy.clearance.max_age
    return (
        None
        if case.now - issued <= oldest
        else f"issued {to_rfc3339(issued)}, longer ago than {_span(oldest)}"
    )


def _decision(policy: Policy, case: Case, shown: Shown) -> str | None:
    decision = shown.clearance.decision
    return None if decision is None or decision.allowed else "the policy that was asked for it said no"


def _same_policy(policy: Policy, case: Case, shown: Shown) -> str | None:
    decision = shown.clearance.decision
    if not policy.clearance.same_policy or (decision and decision.policy == policy.version.sha256):
        return None
    return "the clearance was not given under this policy"


def _destination(policy: Policy, case: Case) -> str | None:
    if any(pattern.fits(case.destination) for pattern in policy.destinations):
        return None
    return f"{case.destination} is none of the destinations"


def _format(policy: Policy, case: Case, shown: Shown) -> str | None:
    kind, kinds = shown.clearance.dump.format, policy.dump.formats
    return None if kind in kinds else f"the format is {kind}, and may be {' or '.join(kinds) or 'none'}"


def _max_size(policy: Policy, case: Case) -> str | None:
    most = policy.dump.max_size
    return None if case.size <= most else f"{case.size} bytes, and {most} may leave"


def _dump_age(policy: Policy, case: Case) -> str | None:
    oldest = policy.dump.max_age
    if oldest is None or case.now - case.taken <= oldest:
        return None
    return f"made {to_rfc3339(case.taken)}, longer ago than {_span(oldest)}"


def _mode(policy: Policy, case: Case, shown: Shown) -> str | None:
    mode, wanted = shown.clearance.searched.mode, policy.search.mode
    return None if mode in ("exhaustive", wanted) else f"searched in {mode} mode, and {wanted} is demanded"


def _detectors(policy: Policy, case: Case, shown: Shown) -> str | None:
    return _lacking("not searched by", policy.search.detectors, shown.clearance.searched.detectors)


def _harvest(policy: Policy, case: Case, shown: Shown) -> str | None:
    if shown.clearance.searched.harvest or not policy.search.harvest:
        return None
    return "not searched for the keys that only the dump names"


def _texts(policy: Policy, case: Case, shown: Shown) -> str | None:
    return _lacking("not searched for", policy.search.texts, shown.clearance.searched.texts)


def _keys(policy: Policy, case: Case, shown: Shown) -> str | None:
    searched = {one.key.thumbprint for one in shown.clearance.searched.keys}
    return _lacking("not searched for the keys", sorted(policy.search.thumbprints), searched)


def _not_searched(policy: Policy, case: Case, shown: Shown) -> str | None:
    allowances = policy.search.allow_not_searched
    left = [allowance.max_bytes for allowance in allowances]
    for gap in shown.clearance.not_searched:
        for number, allowance in enumerate(allowances):
            fits = allowance.detector == gap.detector and allowance.reason in gap.reason
            if fits and gap.length <= left[number]:
                left[number] -= gap.length
                break
        else:
            return f"{gap.length} bytes at {gap.offset:#x} were not searched by {gap.detector}: {gap.reason}"
    return None


def _findings(policy: Policy, case: Case, shown: Shown) -> str | None:
    erased = {one.key for one in shown.clearance.redactions} | policy.findings.allow_unredacted
    found = (one.key.thumbprint for one in shown.clearance.findings if one.occurrences)
    return _lacking("found and not erased: the keys", found, erased)


def _residue(policy: Policy, case: Case, shown: Shown) -> str | None:
    stated = {residue.key for residue in shown.clearance.proof.residues}
    for finding in shown.clearance.findings:
        if finding.residual_bits and finding.key.thumbprint not in stated | policy.findings.allow_unredacted:
            return (
                f"{finding.residual_bits} bits of the key {finding.key.thumbprint} are left, out of how many?"
            )
    for residue in shown.clearance.proof.residues:
        reason = _left(residue, policy.findings.max_residual)
        if reason is not None and residue.key not in policy.findings.allow_unredacted:
            return reason
    return None


def _left(residue: Residue, most: float) -> str | None:
    """Why too much is left of one key."""
    if residue.bits_left and not residue.bounds:
        return f"{residue.bits_left} bits of {residue.key} are left, and how many are too many is not stated"
    for bound in residue.bounds:
        if bound.share_ppm > most * bound.enough_ppm:
            share, enough = bound.share_ppm / PPM, bound.enough_ppm / PPM
            return f"{share:.2%} of {residue.key} is left ({bound.name}: {enough:.2%} would be enough)"
    return None


def _proof(policy: Policy, case: Case, shown: Shown) -> str | None:
    proof = shown.clearance.proof
    if not proof.holds or proof.fragments:
        return "the proof does not hold"
    return _lacking(
        "not proved by", policy.proof, (check.name for check in proof.checks if check.status == "ok")
    )


def _grant(policy: Policy, case: Case) -> str | None:
    if case.grant is True or (case.grant is None and not policy.grant_required):
        return None
    return case.granted


def _lacking(words: str, wanted: Iterable[str], there: Iterable[str | None]) -> str | None:
    have = frozenset(there)
    missing = [name for name in wanted if name not in have]
    if not missing:
        return None
    more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
    return f"{words} {', '.join(missing[:_LISTED])}{more}"


def _span(span: timedelta) -> str:
    return f"{span.days} d" if span.days and not span.seconds else f"{span.total_seconds() / 3600:g} h"


#: In the order in which they are asked; a refusal is named after the first that says no.
RULES: Final[Sequence[Rule]] = (
    Rule("clearance", "there is a clearance of a known kind", clearance_check=_clearance),
    Rule("signers", "enough of those have signed it who may", clearance_check=_signers),
    Rule("subject", "it is for exactly these bytes", clearance_check=_subject),
    Rule("size", "and states their number", clearance_check=_size),
    Rule("issued", "it does not come from the future", clearance_check=_issued),
    Rule("expired", "it has not expired", clearance_check=_expired),
    Rule("clearance-age", "it is not too old", clearance_check=_clearance_age),
    Rule("decision", "if a policy was asked for it, it said yes", clearance_check=_decision),
    Rule("same-policy", "and was this one, if that is demanded", clearance_check=_same_policy),
    Rule("destination", "the dump may go there", check=_destination),
    Rule("format", "it is of a format that may leave", clearance_check=_format),
    Rule("max-size", "it is not too large", check=_max_size),
    Rule("dump-age", "it is not too old", check=_dump_age),
    Rule("mode", "it was searched as thoroughly as is demanded", clearance_check=_mode),
    Rule("detectors", "by all detectors that are demanded", clearance_check=_detectors),
    Rule("harvest", "also for the keys that only the dump names", clearance_check=_harvest),
    Rule("texts", "for all kinds of texts that are demanded", clearance_check=_texts),
    Rule("keys", "for all keys that are demanded", clearance_check=_keys),
    Rule("not-searched", "nothing was left out that may not be", clearance_check=_not_searched),
    Rule("findings", "what was found was erased", clearance_check=_findings),
    Rule("residue", "not too much is left of it in pieces", clearance_check=_residue),
    Rule("proof", "the result was proved in every way that is demanded", clearance_check=_proof),
    Rule("grant", "people have granted it, if that is demanded", check=_grant),
)
