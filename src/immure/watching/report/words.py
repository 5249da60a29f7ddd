"""What all reports say in the same words."""

from __future__ import annotations

from datetime import datetime

from immure.scanning.report.words import (
    bytes_words,
    count_words,
    kind_words,
    list_words,
    secret_words,
    shortened,
    visible,
)
from immure.watching.finding import Hit, KnownKey, Sighting, Spot
from immure.watching.result import Result
from immure.watching.run import Run


def key_words(key: KnownKey) -> str:
    """A key in a few words: ``RSA-2048 key "prod-1"``."""
    if key.kty == "rule":
        return visible(key.label)
    name = f'"{shortened(key.kid, 40)}"' if key.kid else f"{key.thumbprint[:12]}…"
    return f"{visible(key.label)} {name}" if key.kty == "oct" else f"{visible(key.label)} key {name}"


def run_words(run: Run) -> str:
    """What was done in a target."""
    known = run.items - run.scanned
    words = [f"{count_words(run.items, 'item')}", f"{run.scanned:,} scanned ({bytes_words(run.bytes)})"]
    words += [f"{known:,} known already"] if known else []
    return ", ".join(words)


def form_words(sighting: Sighting) -> str:
    """How often and in which forms a key is at a place."""
    hit = sighting.hit
    forms = list(dict.fromkeys(_form(hit.key.kty, spot) for spot in hit.spots))
    part = "" if hit.whole else "in part, "
    more = f", and {len(forms) - 3} forms more" if len(forms) > 3 else ""
    return (
        f"{part}{count_words(hit.count, 'time')}: {list_words([visible(form) for form in forms[:3]])}{more}"
    )


def _form(kty: str, spot: Spot) -> str:
    return spot.secret if kty == "rule" else f"{secret_words(kty, spot.secret)} as {spot.encoding}"


def half_words(key: KnownKey) -> str:
    """What of a key is there: its private half, or all of it if it has no halves; or a match of a rule."""
    if key.kty == "rule":
        return f"a match of {key_words(key)}"
    return key_words(key) if key.kty == "oct" else f"the private half of {key_words(key)}"


def why_words(hit: Hit) -> str:
    """Why it was looked for."""
    return "a rule that was asked for matches" if hit.kind == "rule" else kind_words(hit.kind)


def day(moment: datetime) -> str:
    """The day of a moment."""
    return moment.date().isoformat()


def verdict_words(result: Result) -> str:
    """The result in a sentence."""
    found = [finding.key.kty == "rule" for finding in result.findings if finding.is_open]
    places = sum(sighting.standing == "open" for sighting in result.sightings)
    aside = len(result.sightings) - places
    keys, matches = found.count(False), found.count(True)
    parts = [count_words(keys, "private key")] if keys else []
    parts += (
        [count_words(matches, "rule") + (" that matches" if matches == 1 else " that match")]
        if matches
        else []
    )
    words = f"{list_words(parts)} at {count_words(places, 'place')}" if parts else "no private key"
    words += f" ({aside:,} suppressed or in the baseline)" if aside else ""
    return words if result.complete else f"{words}; not everything was searched"
