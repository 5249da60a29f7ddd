"""Relying parties as their logs show them: what they accepted and refused, and when they say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from immure.detections.engine import Engine
from immure.response.parquet_facts import has_nulls, has_value
from immure.response.radius import Interval, RelyingParty
from immure.response.radius_key import key_sql
from immure.response.radius_parties import would_accept
from immure.response.radius_settings import Party, RadiusSettings
from immure.response.radius_tokens import Tokens
from immure.response.radius_unknown import Pieces, merged, of_pieces, silences
from immure.scanning.report.words import count_words

_REFUSED: Final = """
SELECT coalesce(relying_party, ''), count(*), any_value(rule) FROM refusals
WHERE verdict = 'refused' AND {key} AND {span} GROUP BY 1"""
_BARE: Final = """
SELECT count(*), min(epoch_us(time)) // 1000000, max(epoch_us(time)) // 1000000 FROM bare
WHERE verdict = 'accepted' AND kid IS NULL AND thumbprint IS NULL AND {span}"""
#: By relying party, how many tokens were refused, and a rule that says why.
Refusals = Mapping[str, tuple[int, str]]


def refusals(engine: Engine, files: Sequence[str], settings: RadiusSettings, span: str) -> Refusals:
    """Tokens of the key that logs show as refused.

    Args:
        files: of acceptances; those without any refusal are not read.
    """
    files = [path for path in files if has_value(path, "verdict", "refused")]
    if not files:
        return {}
    engine.files("refusals", files)
    rows = engine.rows(_REFUSED.format(key=key_sql(settings), span=span))
    return {name: (count, rule or "") for name, count, rule in rows}


def nameless(engine: Engine, files: Sequence[str], span: str) -> Iterator[Interval]:
    """When there were acceptances that may be of the key, and name none."""
    files = [path for path in files if has_nulls(path, "kid") and has_nulls(path, "thumbprint")]
    if files:
        engine.files("bare", files)
        count, first, last = engine.one(_BARE.format(span=span))
        if count:
            yield Interval(first, last + 1, f"{count_words(count, 'acceptance')} without a key's name")


def relying_parties(
    settings: RadiusSettings, tokens: Tokens, pieces: Pieces, refused: Refusals, begin: int, end: int
) -> tuple[RelyingParty, ...]:
    """All that are named by anybody, those that accepted the most first.

    Args:
        tokens: what was counted.
        pieces: of their logs.
        refused: of :func:`refusals`.
        begin, end: of the time that is looked at.
    """
    given = {one.name: one for one in settings.parties}
    made = []
    for name in dict.fromkeys([*given, *pieces, *refused]):
        party, accepted = given.get(name, Party(name)), tokens.parties.get(name, 0)
        count, rule = refused.get(name, (0, ""))
        verdict, why = would_accept(
            party, settings.record, settings.kid, accepted=accepted, refused=count, rule=rule
        )
        what = f"the log of {name or 'an unnamed relying party'}"
        gaps = silences(of_pieces(pieces.get(name, ())), begin, end, least=settings.silence, what=what)
        audience = party.audience or tokens.audiences.get(name, "")
        made.append(RelyingParty(name, audience, verdict, why, accepted, merged(gaps, begin, end)))
    return tuple(sorted(made, key=lambda one: (-one.accepted, one.name)))
