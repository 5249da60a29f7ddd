"""What a search by sketches found is known from then on: its bytes stand in the image.

So it is erased, and proved to be gone, as a secret is whose bytes the user gave: every piece of it in every
writing. Of a secret of which a piece only stood there, no more than that piece is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from immure.keymaterial.sketch import Sketch
from immure.redact.options import NamedSecret
from immure.redact.span import Span
from immure.scanning.finding import Finding, ImageReport
from immure.scanning.sketches import Hunt

#: Bytes of a piece that a sketch surely finds, wherever it stands.
SURE_BYTES = 24


def found_secrets(hunt: Hunt) -> tuple[NamedSecret, ...]:
    """The bytes that were found, each under the name that its sketch has."""
    return tuple(NamedSecret(secret.name, piece.data) for secret, pieces in hunt.found() for piece in pieces)


def take_out(report: ImageReport) -> list[Finding]:
    """The findings of a report that are no keys; they leave it."""
    found = [finding for finding in report.findings if finding.kind == "sketched"]
    report.findings = [finding for finding in report.findings if finding.kind != "sketched"]
    return found


def spans_of(findings: list[Finding]) -> Iterator[Span]:
    """Where they stood."""
    for finding in findings:
        for one in finding.occurrences:
            yield Span(one.offset, one.length, "secret", one.encoding, finding.key.origin.kid)


def words(sketches: tuple[Sketch, ...], findings: list[Finding], hunt: Hunt) -> Iterator[str]:
    """What there is to say of the search, for the record."""
    if not sketches:
        return
    count = sum(len(sketch.secrets) for sketch in sketches)
    yield (
        f"searched for {count} secrets by sketches, found {len(findings)}; pieces of less than {SURE_BYTES}"
        " bytes of those not found are not seen by a sketch"
    )
    for secret, pieces in hunt.found():
        longest = max(pieces, key=lambda piece: piece.count)
        if not any(piece.whole for piece in pieces):
            length = secret.strings[longest.string].length
            yield (
                f"of the secret {secret.name!r} {longest.count} of {length} bytes in a row stood there, and"
                f" are erased; pieces of less than {SURE_BYTES} of its other bytes were not searched for"
            )
