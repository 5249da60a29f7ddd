"""From what a scan proved to the spans that have to go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.keymaterial.private import PrivateKey
from immure.keymaterial.sketch_key import OctNumbers
from immure.redact.eraser import Eraser, find_spans, loose_spans
from immure.redact.keep import Kept
from immure.redact.needles import SHORTEST_PIECE, needles_of, needles_of_secret, unique
from immure.redact.options import RedactOptions
from immure.redact.rules import rules_of
from immure.redact.span import Span, disjoint
from immure.redact.texts import TextEraser
from immure.scanning.finding import ImageReport
from immure.scanning.occurrences import Needle, Place, Sweeps
from immure.scanning.options import Progress
from immure.scanning.proofs import Proof, proof_of_private


def sweeps_for(options: RedactOptions) -> Sweeps:
    """What the scan sweeps for on its way: pieces of every number of every key that it proves, and of those
    that the user brings."""
    sweeps = Sweeps(pieces, least=SHORTEST_PIECE, most=options.most_spans)
    for private in options.known:
        sweeps.add(_of_user(private))
    return sweeps


def pieces(proof: Proof) -> Iterator[tuple[Needle, bytes]]:
    """What to sweep for: the needles of a key."""
    for needle in needles_of(proof, ""):
        sought = Needle(proof.public, needle.kind, needle.encoding, needle.length, needle.least)
        yield sought, needle.data


def make_plan(
    image: Image,
    report: ImageReport,
    proofs: Sequence[Proof],
    swept: Iterable[Place],
    options: RedactOptions,
    progress: Progress,
) -> list[Span]:
    """Every span of the image that is to be erased, sorted and disjoint.

    Args:
        image: the image, whose end is known.
        report: what the scan found in it.
        proofs: the keys to erase; those of the report's findings are among them.
        swept: pieces of keys that were found during the scan.

    Raises:
        RedactionError: a part cannot be read, or there are too many places.
    """
    spans = [*Kept(options.keep).spans(image), *_whole_keys(report), *_pieces(swept, proofs)]
    of_secrets = [needle for secret in options.secrets for needle in needles_of_secret(secret)]
    of_keys = [needle for proof in proofs for needle in needles_of(proof, fingerprint(proof.public))]
    bytes_known = Eraser(unique(of_secrets), options.secrets)
    examiners = [] if bytes_known.is_idle else [bytes_known.examine]
    if options.texts:
        examiners.append(TextEraser(rules_of(options.texts)).examine)
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
    registers = Eraser(unique([*of_keys, *of_secrets]))
    if not registers.is_idle:
        spans += loose_spans(image, registers)
    return disjoint(spans)


def fingerprint(numbers: Numbers) -> str:
    """The fingerprint of a key of which nothing but its numbers is known, or of a secret without a public
    half."""
    if isinstance(numbers, OctNumbers):
        return numbers.fingerprint
    return PublicKey(numbers, Origin("image")).thumbprint


def all_proofs(found: Sequence[Proof], known: Sequence[PrivateKey]) -> list[Proof]:
    """What was proved by the scan, and the keys that the user brought."""
    proofs = {proof.public: proof for proof in found}
    for private in known:  # these are whole; a proof may be by a mere scalar
        proofs[private.public] = _of_user(private)
    return list(proofs.values())


def _of_user(private: PrivateKey) -> Proof:
    return proof_of_private(private, "of a secret file", 0)


def _pieces(swept: Iterable[Place], proofs: Sequence[Proof]) -> Iterator[Span]:
    """Spans of what was swept. Keys that are published examples were swept for and are no secret."""
    names = {proof.public: fingerprint(proof.public) for proof in proofs}
    for place in swept:
        needle = place.needle
        if needle.public in names:
            yield Span(place.offset, place.length, needle.secret, needle.encoding, names[needle.public])


def _whole_keys(report: ImageReport) -> list[Span]:
    """Places that the scan knows by parsing, in whatever writing: the sweep knows the usual ones only. Of
    damaged keys also the parts, which may be too short for the sweep, or of a key that nobody can rebuild."""
    return [
        Span(one.offset, one.length, one.secret, one.encoding, finding.key.thumbprint)
        for finding in report.findings
        for one in finding.occurrences
        if one.whole or finding.partial is not None
    ]
