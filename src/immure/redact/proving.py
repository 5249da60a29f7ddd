"""Lets the result of a redaction be proved by what shares no code with the redaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from immure.dumps.dump import Image
from immure.errors import RedactionError
from immure.keymaterial.key import OkpNumbers
from immure.redact.fill import fill
from immure.redact.options import RedactOptions
from immure.redact.prove import ByteSecret, ProofReport, ProveOptions, ScalarOnly, inspect, prove
from immure.redact.prove.secrets import KnownSecret
from immure.redact.span import Span
from immure.scanning.proofs import Proof

_REASONS = 5


class Prover:
    """Proves redacted copies of one image.

    Args:
        original: the image as it was.
        proofs: the keys that were to be erased.
        options: how the redaction was done, and the secrets that the user gave.
    """

    def __init__(self, original: Image, proofs: Sequence[Proof], options: RedactOptions) -> None:
        self._original = original
        self._secrets = list(_secrets(proofs, options))
        self._debugger = options.debugger
        self._options = ProveOptions(
            threads=options.scan.threads,
            debugger=False,
            debugger_seconds=options.debugger_seconds,
        )

    def examine(self, redacted: Image, spans: Sequence[Span]) -> ProofReport:
        """What is to be said of a copy, but for what a debugger says."""
        places = [(span.offset, span.length) for span in spans]
        return prove(self._original, redacted, self._secrets, places, fill, options=self._options)

    def settle(self, report: ProofReport, redacted: Image, spans: Sequence[Span]) -> ProofReport:
        """The whole report: with a debugger's view of both images, if that is wanted.

        Raises:
            RedactionError: the proof failed; says in what.
        """
        if report.ok and self._debugger:
            places = [(span.offset, span.length) for span in spans]
            seen = inspect(self._original, redacted, places, options=replace(self._options, debugger=True))
            report = replace(report, debugger=seen)
        if not report.ok:
            reasons = report.reasons or report.not_done
            words = "; ".join(reasons[:_REASONS])
            raise RedactionError(f"the result is not proved: {words}", path=self._original.path)
        return report


def left_over(report: ProofReport) -> list[Span]:
    """Pieces of secrets that the prover found and the redaction had not."""
    return [
        Span(piece.offset, piece.length, piece.number, piece.encoding, piece.key)
        for piece in (*report.scan.fragments, *report.residue.pieces)
    ]


def _secrets(proofs: Sequence[Proof], options: RedactOptions) -> Iterator[KnownSecret]:
    for proof in proofs:
        if proof.private is not None:
            yield proof.private
        elif proof.scalar is not None and isinstance(proof.public, OkpNumbers):
            yield ScalarOnly(proof.public, proof.scalar)
    for secret in options.secrets:
        yield ByteSecret(secret.name, secret.value)
