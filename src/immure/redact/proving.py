"""Lets the result of a redaction be proved by what shares no code with the redaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from immure.dumps.dump import Image
from immure.errors import RedactionError
from immure.keymaterial.key import OkpNumbers
from immure.redact.fill import fill
from immure.redact.options import RedactOptions
from immure.redact.prove import ByteSecret, ProofReport, ProveOptions, ScalarOnly, prove
from immure.redact.prove.secrets import KnownSecret
from immure.redact.span import Span
from immure.scanning.proofs import Proof

_REASONS = 5


def prove_redaction(
    original: Image,
    redacted: Image,
    proofs: Sequence[Proof],
    spans: Sequence[Span],
    options: RedactOptions,
) -> ProofReport:
    """What was proved of the redacted image.

    Raises:
        RedactionError: the proof failed; says in what.
    """
    how = ProveOptions(
        threads=options.scan.threads,
        debugger=options.debugger,
        debugger_seconds=options.debugger_seconds,
    )
    report = prove(
        original,
        redacted,
        list(_secrets(proofs, options)),
        [(span.offset, span.length) for span in spans],
        fill,
        options=how,
    )
    if not report.ok:
        reasons = report.reasons or report.not_done
        raise RedactionError(f"the result is not proved: {'; '.join(reasons[:_REASONS])}", path=original.path)
    return report


def _secrets(proofs: Sequence[Proof], options: RedactOptions) -> Iterator[KnownSecret]:
    for proof in proofs:
        if proof.private is not None:
            yield proof.private
        elif proof.scalar is not None and isinstance(proof.public, OkpNumbers):
            yield ScalarOnly(proof.public, proof.scalar)
    for secret in options.secrets:
        yield ByteSecret(secret.name, secret.value)
