"""Opens dumps for redaction: one image, whose bytes can be put back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from immure.dumps.archives import detect as detect_archive
from immure.dumps.compression import detect_codec
from immure.dumps.detect import HEAD_BYTES
from immure.dumps.dump import Image, Missing, Reader
from immure.dumps.limits import Limits
from immure.dumps.open import open_reader
from immure.dumps.unreadable import Unreadable
from immure.errors import RedactionError
from immure.redact.apply import PIECE, Digest
from immure.redact.record import FileDigest
from immure.scanning.finding import ImageReport

#: Neither a stream within a stream nor an archive is opened: what cannot be put back is not redacted.
_ONE_DUMP: Final = Limits(max_compression_depth=1, max_nesting=-1)
#: Formats whose bytes are not those of the file, so that they cannot be put back.
_CONVERTED: Final = ("avml", "process")


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
