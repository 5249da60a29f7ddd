"""The comparison of the drill: it calls the same thing the same, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import reference
from drill import hold, keys
from drill.hold import Occurrence, ScanReport
from drill.images import Image

#: Bytes between two numbers in an image of this file.
SPACE = 4096
HIT = reference.Hit("kid", "p", "le64", 1000, 128)
PLACE = Occurrence(1000, 128, "p", "le64")


def planted(kind: str, path: Path) -> Image:
    """An image with each number of a fresh key, in each encoding of the reference, at all alignments."""
    key, generator = keys.make(kind), random.Random(kind)
    needles = reference.needles_for(key.kid, key.secrets) + reference.base64_needles_for(key.kid, key.secrets)
    with path.open("wb") as file:
        for number, needle in enumerate(needles):
            # V8 aligns its values to words: what stands between two of them is no value
            odd = 0 if needle.encoding == "smi28" else number % 8
            file.seek(number * SPACE + 8 * generator.randrange(100) + odd)
            file.write(needle.data)
        file.truncate((len(needles) + 1) * SPACE)
    return Image("planted", "raw", path, (key,), signs=True)


@pytest.mark.parametrize("kind", keys.KINDS)
def test_every_number_in_every_encoding_is_reported(kind: str, tmp_path: Path) -> None:
    outcome = hold.hold(planted(kind, tmp_path / "image"))
    assert outcome.missed == []
    assert outcome.present == outcome.reported > 40
    assert (outcome.keys_present, outcome.keys_found, outcome.strangers) == (1, 1, [])


@pytest.mark.parametrize("kind", keys.KINDS)
def test_each_occurrence_that_a_report_leaves_out_is_missed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = planted(kind, tmp_path / "image")
    report, truth = hold.scan(image), image.truth()
    monkeypatch.setattr(hold, "scan", lambda *_, **__: report)
    monkeypatch.setattr(Image, "truth", lambda _: truth)
    finding = report.findings[0]
    occurrences = [one for one in finding.occurrences if one.whole]
    for left_out in random.Random(kind).sample(occurrences, min(20, len(occurrences))):
        finding.occurrences = [one for one in occurrences if one is not left_out]
        assert hold.hold(image).missed, left_out
        finding.occurrences.append(replace(left_out, whole=False))
        assert hold.hold(image).missed, left_out
    report.images[0].findings = []
    assert len(hold.hold(image).missed) == hold.hold(image).present > 40


def test_a_key_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = planted("p256", tmp_path / "ours"), planted("rsa", tmp_path / "theirs")
    report: ScanReport = hold.scan(theirs)
    monkeypatch.setattr(hold, "scan", lambda *_, **__: report)
    outcome = hold.hold(ours)
    assert outcome.reported == 0
    assert len(outcome.strangers) == 1


@pytest.mark.parametrize(
    ("hit", "place"),
    [
        (HIT, PLACE),
        (HIT, replace(PLACE, length=136)),  # a number in whole words, with zeros in front
        (HIT, replace(PLACE, encoding="le-minimal")),
        (HIT._replace(encoding="der"), replace(PLACE, encoding="be", offset=999, length=129)),
        (HIT._replace(encoding="be"), replace(PLACE, encoding="be-minimal")),
        (HIT._replace(encoding="hex"), replace(PLACE, encoding="hex", offset=999, length=129)),
        (HIT._replace(encoding="hex-upper"), replace(PLACE, encoding="hex-upper-minimal")),
        (HIT._replace(encoding="base64url"), replace(PLACE, encoding="base64url-2")),
        (HIT._replace(encoding="base64"), replace(PLACE, encoding="base64-3-minimal")),
        (HIT._replace(encoding="pem"), replace(PLACE, encoding="base64-lines")),
        (HIT._replace(encoding="pem"), Occurrence(500, 1704, "key", "pem")),
        (HIT._replace(encoding="hex-utf16be"), replace(PLACE, offset=1001, encoding="hex-utf16le")),
        (HIT._replace(secret="prefix", encoding="raw"), Occurrence(872, 256, "expanded", "raw")),
        (HIT._replace(secret="scalar", encoding="raw"), Occurrence(1000, 256, "expanded_clamped", "raw")),
        (HIT._replace(secret="seed", encoding="der"), replace(PLACE, secret="seed", encoding="raw")),
        (HIT._replace(secret="seed", encoding="reversed"), replace(PLACE, secret="seed", encoding="be")),
    ],
)
def test_the_same_under_another_name(hit: reference.Hit, place: Occurrence) -> None:
    assert hold._covers(place, hit)
    assert not hold._covers(replace(place, whole=False), hit)
    for smaller in (
        replace(place, offset=hit.offset + 2, length=place.length - 2),
        replace(place, length=hit.offset + hit.length - place.offset - 2),
        replace(place, offset=place.offset + 10_000),
    ):
        assert not hold._covers(smaller, hit)


@pytest.mark.parametrize(
    "change",
    [
        lambda place: replace(place, secret="q"),
        lambda place: replace(place, secret="d"),
        lambda place: replace(place, secret="expanded"),
        lambda place: replace(place, encoding="be"),
        lambda place: replace(place, encoding="be32w"),
        lambda place: replace(place, encoding="base64"),
        lambda place: replace(place, offset=1001),
        lambda place: replace(place, offset=999),
        lambda place: replace(place, length=127),
        lambda place: replace(place, secret="key", encoding="pkcs8-der", offset=1001, length=2000),
        lambda place: replace(place, secret="key", encoding="pkcs8-der", offset=500, length=627),
    ],
)
def test_something_else(change: Callable[[Occurrence], Occurrence]) -> None:
    assert not hold._covers(change(PLACE), HIT)
