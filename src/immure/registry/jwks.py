"""Key sets for relying parties: one for each scope, never one for several.

>>> [published.issuer for published in published_scopes([])]
[]

Each key says for whom it may sign: ``issuer`` and ``cloud_instance_name`` as Entra has them, ``nbf`` and
``exp`` as OpenID Federation 1.0 has them, and two members of our own: ``audience_classes`` (an empty list: no
audience) and ``tenants``. A relying party that knows none of these still gets no key of another scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any, Final

from immure.registry.errors import PooledError, RegistryError
from immure.registry.fit import fitting_algorithms
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

#: How long a key set goes on with a key that was retired: what it signed before must run out.
GRACE: Final = timedelta(days=1)


@dataclass(frozen=True, order=True)
class SetScope:
    """What all keys of one set have in common: whose they are, for which kind of audience, in which cloud.

    Empty texts: the keys name no audience class, or may be used in any cloud.
    """

    issuer: str
    audience_class: str = ""
    cloud: str = ""

    @property
    def words(self) -> str:
        """For people."""
        more = [name for name in (self.audience_class, self.cloud) if name]
        return f"{self.issuer} ({', '.join(more)})" if more else self.issuer


def published_scopes(records: Iterable[KeyRecord]) -> tuple[SetScope, ...]:
    """The scopes that the keys belong to, each of which has a set of its own."""
    return tuple(sorted({one for record in records if record.scope for one in set_scopes(record.scope)}))


def set_scopes(scope: KeyScope) -> frozenset[SetScope]:
    """The sets that a key of this scope belongs into: one for each audience class and cloud."""
    return frozenset(
        SetScope(scope.issuer, audience_class, cloud)
        for audience_class in scope.audience_classes or {""}
        for cloud in scope.clouds or {""}
    )


def choose_scope(
    records: Sequence[KeyRecord], issuer: str | None, audience_class: str | None, cloud: str | None
) -> SetScope:
    """The one scope that is meant.

    Raises:
        PooledError: several are: each has a key set of its own.
        RegistryError: none is.
    """
    found = [
        scope
        for scope in published_scopes(records)
        if issuer in (None, scope.issuer)
        and audience_class in (None, scope.audience_class)
        and cloud in (None, scope.cloud)
    ]
    if not found:
        raise RegistryError("no key has such a scope")
    if len(found) > 1:
        raise PooledError(
            f"these are {len(found)} scopes, and keys of several never come in one set: "
            + "; ".join(scope.words for scope in found[:10])
        )
    return found[0]


def jwks_for(
    records: Iterable[KeyRecord],
    scope: SetScope,
    *,
    at: datetime,
    announce: bool = False,
    grace: timedelta = GRACE,
) -> dict[str, Any]:
    """The JWK Set (RFC 7517) of a scope at a moment.

    In it are the keys that are active, and those that were retired less than ``grace`` before, as long as
    their time has not run out; with ``announce`` also those that are still to become active.
    """
    chosen = sorted(
        (record for record in records if record.scope and scope in set_scopes(record.scope)),
        key=lambda record: (record.kid, record.thumbprint),
    )
    return {"keys": [_jwk(one, scope) for one in chosen if _is_published(one, at, announce, grace)]}


def _is_published(record: KeyRecord, at: datetime, announce: bool, grace: timedelta) -> bool:
    scope, last = record.scope, record.history[-1]
    if scope is None or (scope.not_after is not None and scope.not_after < at):
        return False
    if scope.not_before is not None and scope.not_before > at and not announce:
        return False
    if record.state is KeyState.DEACTIVATED:
        return at - last.at < grace
    return record.state is KeyState.ACTIVE or (announce and record.state is KeyState.PRE_ACTIVE)


def _jwk(record: KeyRecord, place: SetScope) -> dict[str, Any]:
    jwk: dict[str, Any] = {**record.key.to_jwk(), "kid": record.kid, "use": "sig", "issuer": place.issuer}
    scope = record.scope
    if scope is None:
        return jwk
    jwk["audience_classes"] = [place.audience_class] if place.audience_class else []
    if place.cloud:
        jwk["cloud_instance_name"] = place.cloud
    if scope.tenants:
        jwk["tenants"] = sorted(scope.tenants)
    algorithms = scope.algorithms or fitting_algorithms(record.key.numbers)
    if len(algorithms) == 1:
        jwk["alg"] = next(iter(algorithms))
    if scope.not_before is not None:
        jwk["nbf"] = max(0, ceil(scope.not_before.timestamp()))
    if scope.not_after is not None:
        jwk["exp"] = floor(scope.not_after.timestamp())
    return jwk
