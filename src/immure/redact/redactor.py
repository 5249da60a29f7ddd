"""Redacts a crash dump: scan it, plan what has to go, write the copy, prove it.

>>> record = redact_file("app.core", "app.redacted.core", keys=keys)   # doctest: +SKIP
>>> [finding.key.thumbprint for finding in record.findings]            # doctest: +SKIP
['…']

There is an output file only if everything went well, up to the last proof. What cannot be read, and what
cannot be proved, is a :class:`~immure.errors.RedactionError`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from immure.dumps.dump import Image, Reader
from immure.dumps.readers import FileReader
from immure.errors import RedactionError, UsageError
from immure.files import replacing
from immure.keymaterial.key import Origin, PublicKey
from immure.redact.apply import Digest
from immure.redact.copies import Copy, FileCopy, ViewCopy
from immure.redact.opening import check_understood, digest_of, open_one, outer_codec
from immure.redact.options import RedactOptions
from immure.redact.plan import all_proofs, make_plan, sweeps_for
from immure.redact.prove import ProofReport
from immure.redact.proving import Prover, left_over
from immure.redact.record import FileDigest, RedactionRecord
from immure.redact.sketched import found_secrets, spans_of, take_out, words
from immure.redact.span import Span, disjoint
from immure.scanning.finding import ImageReport
from immure.scanning.options import NoProgress, Progress
from immure.scanning.scanner import prove_image, searched_by
from immure.scanning.sketches import Hunt

#: What the second scanner finds is erased as well, and proved anew, so many times in all.
MOST_ROUNDS: Final = 3


def redact_file(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    keys: Sequence[PublicKey] = (),
    options: RedactOptions | None = None,
    progress: Progress | None = None,
) -> RedactionRecord:
    """Write a redacted copy of a dump, and prove it.

    Args:
        path: the dump: one file, possibly compressed; not an archive.
        output: where the copy goes; replaced as a whole, or left as it is.
        keys: public keys to look for; those that stand in the dump are looked for besides.
        options: how.
        progress: told of progress; by default nobody is.

    Raises:
        RedactionError: it cannot be redacted, or the result cannot be proved; there is no output.
        ImageError: it cannot be opened.
        UsageError: the options make no sense, or the output is the dump itself.
    """
    source, target = os.fspath(path), Path(os.path.realpath(output))
    if os.path.exists(target) and os.path.samefile(source, target):
        raise UsageError("the output would replace the dump itself", path=source)
    with closing(FileReader.open(source)) as reader:
        return write_copy(source, reader, target, keys=keys, options=options, progress=progress)


def write_copy(
    path: str,
    reader: Reader,
    output: str | os.PathLike[str],
    *,
    keys: Sequence[PublicKey] = (),
    options: RedactOptions | None = None,
    progress: Progress | None = None,
    source: FileDigest | None = None,
) -> RedactionRecord:
    """As :func:`redact_file`, of a dump that is read by other means, such as one in a vault. ``source`` is
    its digest, if that is known already.

    Raises:
        RedactionError, ImageError, UsageError: see :func:`redact_file`.
    """
    try:
        with replacing(Path(os.path.realpath(output)), mode=0o600) as out:
            return redact_reader(
                path, reader, out, keys=keys, options=options, progress=progress, source=source
            )
    except OSError as error:
        raise RedactionError(f"cannot be written: {error.strerror or error}", path=str(output)) from error


def redact_reader(
    path: str,
    reader: Reader,
    out: BinaryIO,
    *,
    keys: Sequence[PublicKey] = (),
    options: RedactOptions | None = None,
    progress: Progress | None = None,
    source: FileDigest | None = None,
) -> RedactionRecord:
    """As :func:`redact_file`, from any reader into an empty file that is open for writing and reading.

    If it raises, the caller has to throw the file away. ``source`` is the digest of the reader's bytes, if it
    is known already.

    Raises:
        RedactionError, ImageError, UsageError, OSError: see :func:`redact_file`.
    """
    options, progress = options or RedactOptions(), progress or NoProgress()
    codec = outer_codec(path, reader)
    with open_one(path, reader) as image:
        copy = FileCopy(path, image, progress, out, codec)
        return _Redaction(path, image, keys, options, progress).run(copy, reader, codec, source)


def redact_view(
    path: str,
    reader: Reader,
    *,
    keys: Sequence[PublicKey] = (),
    options: RedactOptions | None = None,
    progress: Progress | None = None,
    source: FileDigest | None = None,
) -> tuple[RedactionRecord, Reader]:
    """As :func:`redact_file`, without a copy: a reader that gives the bytes of another one with the spans
    filled, and has been proved. It needs the other one to stay open, and its bytes to stay what they are.

    Raises:
        RedactionError, ImageError, UsageError: see :func:`redact_file`; or the dump is compressed.
    """
    options, progress = options or RedactOptions(), progress or NoProgress()
    if outer_codec(path, reader) is not None:
        raise RedactionError("is compressed: there is no view of it", path=path)
    with open_one(path, reader) as image:
        copy = ViewCopy(path, image, progress)
        record = _Redaction(path, image, keys, options, progress).run(copy, reader, None, source)
        return record, copy.reader


class _Redaction:
    """One redaction, from the scan to the last proof."""

    def __init__(
        self,
        path: str,
        image: Image,
        keys: Sequence[PublicKey],
        options: RedactOptions,
        progress: Progress,
    ) -> None:
        self._path = path
        self._image = image
        self._keys = keys
        self._options = options
        self._progress = progress
        self._began = time.perf_counter()

    def run(
        self, copy: Copy, reader: Reader, codec: str | None, source: FileDigest | None
    ) -> RedactionRecord:
        """Scan, plan, make the copy, prove it."""
        sweeps, hunt = sweeps_for(self._options), Hunt(self._options.scan.sketches)
        report, found = prove_image(self._image, self._keys, self._options.scan, self._progress, sweeps, hunt)
        check_understood(self._image, report)
        sketched = take_out(report)
        report.warnings += words(hunt.sketches, sketched, hunt)
        secrets = (*self._options.secrets, *found_secrets(hunt))
        options = self._options = replace(self._options, secrets=secrets)
        proofs = all_proofs(found, options.known)
        spans = make_plan(self._image, report, proofs, sweeps.places, options, self._progress)
        spans = disjoint([*spans, *spans_of(sketched)])
        before = Digest() if source is None and codec is None else None
        digest, spans, proof = self._make(copy, spans, Prover(self._image, proofs, options), before, report)
        if source is None:
            source = before.of_file() if before is not None else digest_of(reader, self._path)
        return self._record(report, codec, (source, digest.of_file()), spans, proof)

    def _make(
        self, copy: Copy, spans: list[Span], prover: Prover, before: Digest | None, report: ImageReport
    ) -> tuple[Digest, list[Span], ProofReport]:
        """Make the copy and prove it; what the second scanner finds is erased as well, and proved anew."""
        for left_rounds in reversed(range(MOST_ROUNDS)):
            digest = copy.make(spans, before)
            before = None
            self._progress.phase("prove")
            with copy.reopened() as redacted:
                proof = prover.examine(redacted, spans)
                left = left_over(proof)
                if not left or not left_rounds:
                    return digest, spans, prover.settle(proof, redacted, spans)
            report.warnings.append(_also(len(left)))
            spans = disjoint([*spans, *left])
        raise AssertionError("the last round returns or raises")

    def _record(
        self,
        report: ImageReport,
        codec: str | None,
        digests: tuple[FileDigest, FileDigest],
        spans: list[Span],
        proof: ProofReport,
    ) -> RedactionRecord:
        options = self._options
        return RedactionRecord(
            path=self._path,
            format=self._image.format,
            codec=codec,
            source=digests[0],
            output=digests[1],
            mode=options.scan.mode,
            detectors=searched_by(options.scan),
            harvest=options.scan.harvest,
            texts=options.texts,
            keep=options.keep,
            keys=list(self._keys),
            known=[PublicKey(private.public, Origin("secret file")) for private in options.known],
            secrets=tuple(dict.fromkeys(secret.name for secret in options.secrets)),
            findings=report.findings,
            not_searched=report.not_searched,
            warnings=report.warnings,
            spans=spans,
            proof=proof,
            seconds=time.perf_counter() - self._began,
        )


def _also(count: int) -> str:
    places = "1 piece" if count == 1 else f"{count} pieces"
    return f"the second scanner found {places} of secrets that the first had not; erased as well"
