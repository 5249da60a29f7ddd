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
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final

from immure.dumps.archives import detect as detect_archive
from immure.dumps.compression import detect_codec
from immure.dumps.detect import HEAD_BYTES
from immure.dumps.dump import Image, Missing, Reader
from immure.dumps.limits import Limits
from immure.dumps.open import open_reader
from immure.dumps.readers import FileReader
from immure.dumps.unreadable import Unreadable
from immure.errors import RedactionError, UsageError
from immure.files import replacing
from immure.keymaterial.key import Origin, PublicKey
from immure.redact.apply import PIECE, Digest, write_redacted
from immure.redact.options import RedactOptions
from immure.redact.plan import all_proofs, make_plan, sweeps_for
from immure.redact.proving import Prover, left_over
from immure.redact.record import FileDigest, RedactionRecord
from immure.redact.span import Span, disjoint
from immure.scanning.finding import ImageReport
from immure.scanning.options import NoProgress, Progress
from immure.scanning.scanner import prove_image

#: Formats whose bytes are not those of the file, so that they cannot be put back.
_CONVERTED = ("avml", "process")
#: What the second scanner finds is erased as well, and proved anew, so many times in all.
MOST_ROUNDS: Final = 3
#: Neither a stream within a stream nor an archive is opened: what cannot be put back is not redacted.
_ONE_DUMP = Limits(max_compression_depth=1, max_nesting=-1)


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
    began = time.perf_counter()
    options, progress = options or RedactOptions(), progress or NoProgress()
    codec = outer_codec(path, reader)
    with open_one(path, reader) as image:
        sweeps = sweeps_for(options)
        report, proofs = prove_image(image, keys, options.scan, progress, sweeps)
        check_understood(image, report)
        proofs = all_proofs(proofs, options.known)
        spans = make_plan(image, report, proofs, sweeps.places, options, progress)
        copy = _Copy(path, image, out, codec, progress)
        prover = Prover(image, proofs, options)
        before = Digest() if source is None and codec is None else None
        for rounds in range(1, MOST_ROUNDS + 1):
            digest = copy.write(spans, before if rounds == 1 else None)
            progress.phase("prove")
            with copy.reopened() as redacted:
                proof = prover.examine(redacted, spans)
                left = left_over(proof)
                if not left or rounds == MOST_ROUNDS:
                    proof = prover.settle(proof, redacted, spans)
                    break
            report.warnings.append(_also(len(left)))
            spans = disjoint([*spans, *left])
        record = RedactionRecord(
            path=path,
            format=image.format,
            codec=codec,
            source=source or (before.of_file() if before is not None else digest_of(reader, path)),
            output=digest.of_file(),
            mode=options.scan.mode,
            detectors=options.scan.detectors,
            harvest=options.scan.harvest,
            texts=options.texts,
            keep=options.keep,
            keys=list(keys),
            known=[PublicKey(private.public, Origin("secret file")) for private in options.known],
            secrets=tuple(secret.name for secret in options.secrets),
            findings=report.findings,
            not_searched=report.not_searched,
            warnings=report.warnings,
            spans=spans,
            proof=proof,
        )
    record.seconds = time.perf_counter() - began
    return record


class _Copy:
    """The file that the copy is written to, anew in each round."""

    def __init__(self, path: str, image: Image, out: BinaryIO, codec: str | None, progress: Progress) -> None:
        self._path = path
        self._image = image
        self._out = out
        self._codec = codec
        self._progress = progress

    def write(self, spans: Sequence[Span], before: Digest | None) -> Digest:
        """Write the image without the spans; ``before`` is given its bytes as they were."""
        self._progress.phase("write")
        self._out.seek(0)
        self._out.truncate()
        size, advance = self._image.reader.size or 0, self._progress.advance
        return write_redacted(
            self._image.reader, size, spans, self._out, self._codec, self._path, advance, before
        )

    def reopened(self) -> Image:
        """What was written, read anew: the bytes of this very file, whatever its name leads to."""
        return open_one(self._path, FileReader(os.dup(self._out.fileno()), self._path))


def _also(count: int) -> str:
    places = "1 piece" if count == 1 else f"{count} pieces"
    return f"the second scanner found {places} of secrets that the first had not; erased as well"


def outer_codec(path: str, reader: Reader) -> str | None:
    """How the dump is compressed, if it is.

    Raises:
        RedactionError: it is an archive.
    """
    head = reader.read(0, HEAD_BYTES)
    archive = detect_archive(head)
    if archive:
        raise RedactionError(f"is a {archive} archive: take the dump out of it first", path=path)
    return detect_codec(head)


class _Borrowed(Reader):
    """A reader that is not closed by whoever it is lent to."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def size(self) -> int | None:  # type: ignore[override]
        return self._reader.size

    def wait(self) -> None:
        self._reader.wait()

    def faults(self) -> tuple[Missing, ...]:
        return self._reader.faults()

    def fileno(self) -> int:
        """The descriptor of a file, for programs that need one; AttributeError if it is none."""
        descriptor: int = self._reader.fileno()  # type: ignore[attr-defined]
        return descriptor

    def read_into(self, offset: int, view: memoryview) -> int:
        return self._reader.read_into(offset, view)

    def extents(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        return self._reader.extents(start, stop)


def open_one(path: str, reader: Reader) -> Image:
    """The one image in a reader, which stays open when the image is closed.

    Raises:
        RedactionError: what is in it cannot be put back as it was.
        ImageError: it cannot be read.
    """
    opened = next(iter(open_reader(path, _Borrowed(reader), limits=_ONE_DUMP)))
    if isinstance(opened, Unreadable):
        raise RedactionError(opened.reason, path=path)
    if opened.format in _CONVERTED:
        opened.close()
        raise RedactionError(f"dumps of the format {opened.format} cannot be redacted", path=path)
    return opened


def check_understood(image: Image, report: ImageReport) -> None:
    """Refuse an image of which some bytes could not be read, or are promised and not there.

    Raises:
        RedactionError: names the first such range.
    """
    for gap in report.not_searched:
        if gap.detector == "all":
            raise RedactionError(gap.reason, path=image.path, offset=gap.offset)


def digest_of(reader: Reader, path: str) -> FileDigest:
    """The digest of all bytes of a reader.

    Raises:
        RedactionError: bytes cannot be read.
    """
    digest, buffer = Digest(), memoryview(bytearray(PIECE))
    while digest.size < (reader.size or 0):
        got = reader.read_into(digest.size, buffer)
        if not got:
            raise RedactionError("bytes cannot be read", path=path, offset=digest.size)
        digest.update(buffer[:got])
    return digest.of_file()
