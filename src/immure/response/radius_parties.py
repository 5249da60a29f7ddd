"""Who would have taken a token that the key signed and its issuer did not issue.

What somebody did outweighs what he says: a log that shows such a token accepted, then a probe, then a log
that shows them refused, then a policy. What nothing is known of is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immure.registry.record import KeyRecord
from immure.response.radius import Accepts
from immure.response.radius_settings import Party
from immure.tokens.policy import Policy

#: How sure each is of what it says.
Opinion = tuple[Accepts, str]


def would_accept(
    party: Party, record: KeyRecord | None, kid: str, *, accepted: int, refused: int, rule: str
) -> Opinion:
    """Whether it would have, and from what that is known.

    Args:
        party: what is known beside its log.
        record: of the key in the registry.
        kid: of the key.
        accepted: tokens that count and that its log shows as accepted.
        refused: tokens of the key that its log shows as refused, the last by ``rule``.
    """
    said: list[Opinion] = []
    if accepted:
        said.append(("yes", f"its log shows {accepted:,} such tokens as accepted"))
    if party.probe is not None:
        said.append(_probed(party.probe, record, kid))
    if refused and not accepted:
        said.append(
            ("no", f"its log shows {refused:,} tokens of the key as refused ({rule or 'no rule named'})")
        )
    if party.policy is not None:
        said.append(_by_policy(party.policy, party.audience, record))
    known = [one for one in said if one[0] != "unknown"]
    if not known:
        words = "; ".join(why for _, why in said)
        return "unknown", words or "nothing is known of it: no log, no probe, no policy"
    verdict = known[0][0]
    against = [why for answer, why in known[1:] if answer != verdict]
    words = "; ".join(why for answer, why in known if answer == verdict)
    return verdict, words + "".join(f"; but {why}" for why in against)


def _probed(report: Mapping[str, Any], record: KeyRecord | None, kid: str) -> Opinion:
    """What a report of ``immure probe`` says: whether the key is among those that are trusted, and whether
    anything was let in that must not be."""
    trusted = report.get("trusted")
    keys = trusted.get("keys") if isinstance(trusted, Mapping) else None
    keys = [one for one in keys if isinstance(one, Mapping)] if isinstance(keys, list) else []
    if record is None:
        theirs = any(one.get("kid") == kid for one in keys)
    else:
        theirs = any(one.get("thumbprint") == record.thumbprint for one in keys)
    counts = report.get("counts")
    holes = counts.get("holes") if isinstance(counts, Mapping) else None
    if theirs:
        return "yes", "a probe found that it trusts the key"
    if isinstance(holes, int) and holes > 0:
        return "yes", f"a probe found {holes} kinds of forged tokens that it lets in"
    if report.get("complete") is True and report.get("verdict") == "nothing let in":
        return "no", "a probe found that it does not trust the key, and lets nothing forged in"
    return "unknown", "a probe did not come to its end"


def _by_policy(policy: Policy, audience: str, record: KeyRecord | None) -> Opinion:
    """What a policy says of the key: by its scope, which our validators hold every token against."""
    if record is None:
        return "unknown", "no registry says what the key may sign for, so that the policy cannot be asked"
    if record.scope is None:
        return "no", "its policy takes no key of which nothing says what it may sign for"
    scope, reasons = record.scope, []
    if audience and audience not in policy.audiences:
        return "no", f"its policy does not have the audience {audience[:200]!a}"
    own = policy.rule_for(scope.issuer)
    for issuer, rule in policy.issuers.items():
        fits = issuer == scope.issuer or (own is not None and own[0] is rule)
        if not fits and (rule.exact_keys or not scope.allows_issuer(issuer)):
            reasons.append("the key may not sign for an issuer that it takes")
        elif rule.audience_class not in scope.audience_classes:
            reasons.append(f"the key may not sign for {rule.audience_class!a} audiences")
        elif rule.clouds and scope.clouds and not rule.clouds & scope.clouds:
            reasons.append("the key is of another cloud")
        elif rule.algorithms and scope.algorithms and not rule.algorithms & scope.algorithms:
            reasons.append("the key signs by no algorithm that it takes")
        else:
            return "yes", "by its policy the key may sign for it"
    return "no", f"by its policy: {reasons[0]}"
