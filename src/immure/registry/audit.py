"""Audits keys: what is wrong with a key set, a discovery document or a registry, and what that permits.

>>> from immure.clock import now
>>> from immure.registry.audit_sources import parse_document
>>> jwk = b'{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
>>> [one.code for one in audit(parse_document(jwk, "jwk.json"), at=now())]
['unscoped', 'known-private']

The rules are in one list; each looks at the whole set and says what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from immure.keymaterial.published import where_published
from immure.registry.audit_sources import AuditedSet
from immure.registry.audited import PUBLISHED_STATES, Entry
from immure.registry.finding import AuditFinding, finding
from immure.registry.fit import fitting_algorithms
from immure.registry.jwks import GRACE
from immure.registry.record import KeyRecord
from immure.registry.scope import TENANT, KeyScope
from immure.registry.state import KeyState
from immure.registry.weakness import weaknesses

#: Keys that were in use for longer are over-aged, if nothing else is asked for.
MAX_AGE: Final = timedelta(days=365)


@dataclass(frozen=True)
class Question:
    """What a set is held against.

    Attributes:
        at: the time of the audit.
        max_age: how long a key may be in use.
        registry: records by thumbprint; None if there is no registry to compare with.
        grace: how long a retired key may still be published.
    """

    at: datetime
    max_age: timedelta = MAX_AGE
    registry: Mapping[str, KeyRecord] | None = None
    grace: timedelta = GRACE


def audit(
    keys: AuditedSet,
    *,
    at: datetime,
    max_age: timedelta = MAX_AGE,
    registry: Sequence[KeyRecord] | None = None,
    grace: timedelta = GRACE,
) -> list[AuditFinding]:
    """All findings about a set: first those of reading it, then rule by rule."""
    records = None if registry is None else {record.thumbprint: record for record in registry}
    question = Question(at, max_age, records, grace)
    found = [*keys.problems, *(problem for entry in keys.entries for problem in entry.problems)]
    for rule in RULES:
        found += rule(keys, question)
    return found


def _signing(keys: AuditedSet) -> list[Entry]:
    return [entry for entry in keys.entries if entry.key is not None and entry.signs]


def _pooled(keys: AuditedSet, _: Question) -> Iterator[AuditFinding]:
    if keys.kind == "registry":  # it holds the keys of all scopes, and publishes each by itself
        return
    for what, values in (
        ("issuers", {entry.issuer for entry in _signing(keys) if entry.issuer is not None}),
        ("clouds", {cloud for entry in _signing(keys) for cloud in entry.clouds}),
    ):
        if len(values) > 1:
            names = ", ".join(sorted(values)[:5]) + (", …" if len(values) > 5 else "")
            yield finding("pooled", keys.source, f"keys of {len(values)} {what} in one set: {names}")


def _unscoped(keys: AuditedSet, _: Question) -> Iterator[AuditFinding]:
    signing = _signing(keys)
    has_scoped = any(entry.issuer is not None for entry in signing)
    for entry in signing:
        if entry.issuer is not None:
            continue
        if keys.kind == "registry":
            permits = "nothing by this registry; elsewhere the key set decides"
            yield entry.finding("unscoped", "has no scope", severity="low", permits=permits)
        elif has_scoped:
            yield entry.finding("mixed", "has no issuer, and other keys of the set have one")
        elif keys.issuer is not None and TENANT not in keys.issuer:
            words = f"has no issuer; its document says {keys.issuer}"
            permits = "nothing while every verifier keeps this set apart from those of others"
            yield entry.finding("unscoped", words, severity="low", permits=permits)
        else:
            yield entry.finding("unscoped", "has no issuer")


def _many_classes(keys: AuditedSet, _: Question) -> Iterator[AuditFinding]:
    for entry in _signing(keys):
        if len(entry.classes) > 1:
            yield entry.finding("many-classes", f"is for {' and '.join(sorted(entry.classes)[:5])} audiences")


def _times(keys: AuditedSet, question: Question) -> Iterator[AuditFinding]:
    for entry in _signing(keys):
        if entry.record is not None and not entry.record.state.verifies:
            continue
        if entry.not_after is not None and entry.not_after < question.at:
            yield entry.finding("expired", f"its time ran out at {_day(entry.not_after)}")
        if entry.not_before is not None and entry.not_before > question.at:
            yield entry.finding("not-yet-valid", f"its time begins at {_day(entry.not_before)}")
        if entry.record is not None and entry.record.state is not KeyState.ACTIVE:
            continue
        if entry.born is not None and question.at - entry.born > question.max_age:
            days = (question.at - entry.born).days
            yield entry.finding("over-age", f"is in use for {days} days, since {_day(entry.born)}")


def _names(keys: AuditedSet, _: Question) -> Iterator[AuditFinding]:
    seen: dict[object, Entry] = {}
    for entry in keys.entries:
        if entry.key is not None and entry.kid is None and len(keys.entries) > 1 and keys.kind != "keys":
            yield entry.finding("no-kid", "has no kid")
        # in a registry each issuer names its keys by itself; a document has one list of names
        place = (entry.issuer, entry.kid) if keys.kind == "registry" else entry.kid
        if entry.kid is not None and keys.kind != "keys":
            first = seen.setdefault(place, entry)
            if first is not entry:
                same = entry.thumbprint is not None and first.thumbprint == entry.thumbprint
                words = f"is the kid of keys {first.place} and {entry.place}"
                yield entry.finding("duplicate-kid", words + (", which are the same" if same else ""),
                                    severity="low" if same else None)  # fmt: skip


def _numbers(keys: AuditedSet, _: Question) -> Iterator[AuditFinding]:
    seen: dict[str | None, Entry] = {}
    for entry in keys.entries:
        if entry.key is None:
            continue
        first = seen.setdefault(entry.thumbprint, entry)
        if first is not entry and (first.kid, first.issuer) != (entry.kid, entry.issuer):
            other = first.issuer not in (None, entry.issuer) and entry.issuer is not None
            words = f"is the same key as {first.kid!r}" + (f", which is for {first.issuer}" if other else "")
            yield entry.finding("duplicate-key", words, severity="high" if other else None,
                                permits="signing for both issuers with one key" if other else "")  # fmt: skip


def _weak(keys: AuditedSet, _: Question) -> Iterator[AuditFinding]:
    for entry in _signing(keys):
        if entry.key is None:
            continue
        for weakness in weaknesses(entry.key.numbers):
            yield entry.finding(weakness.code, weakness.words, permits=weakness.permits)
        fitting = fitting_algorithms(entry.key.numbers)
        if entry.alg is not None and fitting and entry.alg not in fitting:
            words = f"is for the algorithm {entry.alg[:40]!r}, which does not fit {entry.key.label}"
            yield entry.finding("wrong-algorithm", words)
        printed = where_published(entry.key)
        if printed is not None:
            yield entry.finding("known-private", f"is the {printed}")


def _registered(keys: AuditedSet, question: Question) -> Iterator[AuditFinding]:
    if question.registry is None or keys.kind == "registry":
        return
    for entry in _signing(keys):
        record = question.registry.get(entry.thumbprint or "")
        if record is None:
            yield entry.finding("unknown", "is not in the registry")
            continue
        code = PUBLISHED_STATES.get(record.state)
        since = record.history[-1].at
        if code is not None and not (code == "published-retired" and question.at - since < question.grace):
            yield entry.finding(code, f"is {record.state.value} since {_day(since)}, and published here")
        if record.scope is None or (entry.issuer is not None and entry.issuer != record.scope.issuer):
            whose = record.issuer or "nobody"
            yield entry.finding(
                "scope-differs", f"is for {entry.issuer or 'anybody'} here, for {whose} there"
            )
        elif more := _beyond(entry, record.scope):
            names = ", ".join(sorted(more)[:5])
            yield entry.finding("scope-differs", f"is also for {names} here, and not in the registry")


def _beyond(entry: Entry, scope: KeyScope) -> frozenset[str]:
    """Clouds and audience classes that a document gives a key, and the registry does not."""
    clouds = entry.clouds - scope.clouds if scope.clouds else frozenset[str]()
    return clouds | (entry.classes - scope.audience_classes)


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


#: Every rule, in the order of a report.
RULES: Final[tuple[Callable[[AuditedSet, Question], Iterator[AuditFinding]], ...]] = (
    _pooled,
    _unscoped,
    _many_classes,
    _times,
    _names,
    _numbers,
    _weak,
    _registered,
)
