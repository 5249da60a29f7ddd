"""From what a scan proved to the spans that have to go."""

from __future__ import annotations

from collections.abc import Sequence

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.keymaterial.private import PrivateKey
from immure.redact.eraser import Eraser, find_spans, loose_spans
from immure.redact.keep import Kept
from immure.redact.needles import needles_of, needles_of_secret, unique
from immure.redact.options import RedactOptions
from immure.redact.rules import rules_of
from immure.redact.span import Span, disjoint
from immure.redact.texts import TextEraser
from immure.scanning.finding import ImageReport
from immure.scanning.options import Progress
from immure.scanning.proofs import Proof, proof_of_private


def make_plan(
    image: Image, report: ImageReport, proofs: Sequence[Proof], options: RedactOptions, progress: Progress
) -> list[Span]:
    """Every span of the image that is to be erased, sorted and disjoint.

    Args:
        image: the image, whose end is known.
        report: what the scan found in it.
        proofs: the keys to erase; those of the report's findings are among them.

    Raises:
        RedactionError: a part cannot be read, or there are too many places.
    """
    needles = [needle for proof in proofs for needle in needles_of(proof, fingerprint(proof.public))]
    needles += [needle for secret in options.secrets for needle in needles_of_secret(secret)]
    eraser = Eraser(unique(needles), options.secrets)
    examiners = [] if eraser.is_idle else [eraser.examine]
    if options.texts:
        examiners.append(TextEraser(rules_of(options.texts)).examine)
    spans = [*Kept(options.keep).spans(image), *_whole_keys(report)]
    if examiners:
        progress.phase("sweep")
        spans += find_spans(
            image,
            examiners,
            threads=options.scan.threads,
            chunk_bytes=options.scan.chunk_bytes,
            most=options.most_spans,
            advance=progress.advance,
        )
        spans += loose_spans(image, eraser)
    return disjoint(spans)


def fingerprint(numbers: Numbers) -> str:
    """The fingerprint of a key of which nothing but its numbers is known."""
    return PublicKey(numbers, Origin("image")).thumbprint


def all_proofs(found: Sequence[Proof], known: Sequence[PrivateKey]) -> list[Proof]:
    """What was proved by the scan, and the keys that the user brought."""
    proofs = {proof.public: proof for proof in found}
    for private in known:  # these are whole; a proof may be by a mere scalar
        proofs[private.public] = proof_of_private(private, "of a secret file", 0)
    return list(proofs.values())


def _whole_keys(report: ImageReport) -> list[Span]:
    """Places that the scan knows by parsing, in whatever writing: the sweep knows the usual ones only."""
    return [
        Span(one.offset, one.length, one.secret, one.encoding, finding.key.thumbprint)
        for finding in report.findings
        for one in finding.occurrences
        if one.whole
    ]
