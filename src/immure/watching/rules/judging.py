"""What all rules together make of what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from immure.watching.finding import KeyFinding, Sighting
from immure.watching.rules.baseline import Known, name_of
from immure.watching.rules.owners import Owners
from immure.watching.rules.suppressions import Suppression, suppression_of


@dataclass(frozen=True, slots=True)
class Rules:
    """Owners, suppressions and baseline; by default nobody, none and nothing."""

    owners: Owners = field(default_factory=Owners)
    suppressions: Sequence[Suppression] = ()
    baseline: Known = frozenset()

    def judge(self, sighting: Sighting, today: date) -> Sighting:
        """The sighting with its owners and its standing."""
        owned = replace(sighting, owners=self.owners.of(sighting.path))
        suppression = suppression_of(sighting, self.suppressions, today)
        if suppression is not None:
            until = suppression.expires.isoformat()
            return replace(owned, standing="suppressed", reason=suppression.reason, until=until)
        if name_of(sighting) in self.baseline:
            return replace(owned, standing="baseline")
        return owned

    def findings(self, sightings: Iterable[Sighting], today: date) -> list[KeyFinding]:
        """One finding for each key, those that count first."""
        judged = sorted(
            (self.judge(sighting, today) for sighting in sightings),
            key=lambda one: (one.hit.key.thumbprint, one.target, one.path, one.place, one.hit.inside),
        )
        found = [
            KeyFinding(group[0].hit.key, tuple(group))
            for _, one in groupby(judged, key=lambda one: one.hit.key.thumbprint)
            if (group := list(one))
        ]
        return sorted(found, key=lambda finding: (not finding.is_open, finding.key.thumbprint))

    def expired(self, today: date) -> list[Suppression]:
        """Suppressions that hold no more."""
        return [one for one in self.suppressions if one.has_expired(today)]
