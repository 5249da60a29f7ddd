"""Key records out of loaded keys: each keeps what its source says of it, and options may only narrow that.

>>> from immure.clock import now
>>> from immure.keymaterial.key import OkpNumbers
>>> key = PublicKey(OkpNumbers("Ed25519", bytes(32)), Origin("jwks.json", "k1", issuer="https://a.example"))
>>> wanted = Wanted(by="ops", issuer="https://b.example")
>>> records_from([key], wanted, at=now())
Traceback (most recent call last):
...
immure.registry.errors.ScopeError: key 'k1' is for https://a.example, as its source says, not https://b.example
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from immure.keymaterial.key import Origin, PublicKey
from immure.registry.errors import RegistryError, ScopeError
from immure.registry.fit import check_scope, fitting_algorithms, is_plain_text
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState


@dataclass(frozen=True)
class Wanted:
    """What the keys of one import are to be.

    Attributes:
        by, reason: who takes them up, and why; for their histories.
        state: in which they come: pre-active, or active.
        kid: for a single key whose source has none.
        issuer and the following: their scope, as in KeyScope; what is left out is as the source says.
    """

    by: str
    reason: str = "imported"
    state: KeyState = KeyState.PRE_ACTIVE
    kid: str | None = None
    issuer: str | None = None
    audience_classes: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    clouds: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset()
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(slots=True)
class Taken:
    """What comes of an import: records, and notes for people on what was left out or is odd."""

    records: list[KeyRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def records_from(keys: Iterable[PublicKey], wanted: Wanted, *, at: datetime) -> Taken:
    """Records of the keys that can sign; the others are left out, with a note.

    Raises:
        ScopeError: what is wanted goes beyond what the source says of a key, or does not fit it.
        RegistryError: a kid that cannot be kept, or one for several keys.
    """
    keys = list(keys)
    if wanted.kid is not None and len(keys) != 1:
        raise RegistryError(f"one kid for {len(keys)} keys")
    taken = Taken()
    for key in keys:
        kid = wanted.kid or key.origin.kid or key.thumbprint
        if not is_plain_text(kid):
            raise RegistryError("a kid is too long, or has control characters in it", path=key.origin.source)
        if not fitting_algorithms(key.numbers):
            taken.notes.append(f"key {kid!r}: {key.label} signs nothing; left out")
        elif key.origin.use not in (None, "sig"):
            taken.notes.append(f"key {kid!r} is for another use than signing ({key.origin.use!r}); left out")
        else:
            taken.records.append(_record(key, kid, wanted, at, taken))
    return taken


def _record(key: PublicKey, kid: str, wanted: Wanted, at: datetime, taken: Taken) -> KeyRecord:
    origin = key.origin
    scope = _scope(key, kid, wanted)
    if scope is None:
        taken.notes.append(f"key {kid!r} has no issuer: it may sign for nothing until it gets a scope")
    elif not scope.audience_classes:
        taken.notes.append(f"key {kid!r} has no audience class yet: no audience may be asked for with it")
    # what the source says of the scope is in the scope now; of the origin stays what the scope does not say
    kept = Origin(_printable(origin.source), kid, not_before=origin.not_before, not_after=origin.not_after)
    return KeyRecord.new(
        PublicKey(key.numbers, kept),
        kid,
        scope,
        by=wanted.by,
        at=at,
        state=wanted.state,
        reason=wanted.reason,
    )


def _scope(key: PublicKey, kid: str, wanted: Wanted) -> KeyScope | None:
    issuer = _issuer(key.origin, kid, wanted)
    if issuer is None:
        if wanted.audience_classes or wanted.tenants or wanted.clouds:
            raise ScopeError(
                f"key {kid!r}: a scope begins with an issuer, and neither you nor its source name one"
            )
        return None
    scope = KeyScope(
        issuer,
        wanted.audience_classes,
        wanted.tenants,
        _narrowed(wanted.clouds, key.origin.cloud_instance_name, kid, "cloud"),
        _narrowed(wanted.algorithms, key.origin.alg, kid, "algorithm"),
        _latest(wanted.not_before, key.origin.not_before),
        _earliest(wanted.not_after, key.origin.not_after),
    )
    try:
        check_scope(scope, key.numbers)
    except ScopeError as error:
        raise ScopeError(f"key {kid!r}: {error.reason}", path=key.origin.source) from error
    return scope


def _issuer(origin: Origin, kid: str, wanted: Wanted) -> str | None:
    """The issuer that is wanted, if the source's own covers it: one tenant of a template, for instance."""
    if wanted.issuer is None or origin.issuer is None or wanted.issuer == origin.issuer:
        return wanted.issuer or origin.issuer
    if not KeyScope(origin.issuer).allows_issuer(wanted.issuer):
        raise ScopeError(
            f"key {kid!r} is for {origin.issuer[:200]}, as its source says, not {wanted.issuer[:200]}"
        )
    return wanted.issuer


def _narrowed(wanted: frozenset[str], stated: str | None, kid: str, what: str) -> frozenset[str]:
    if stated is None:
        return wanted
    if wanted and wanted != {stated}:
        names = ", ".join(sorted(wanted))
        raise ScopeError(
            f"key {kid!r} is for the {what} {stated[:80]!r}, as its source says, not {names[:200]}"
        )
    return frozenset({stated})


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _printable(source: str) -> str:
    """A path or URL as it can be kept: names of files may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in source)[:1024] or "?"
