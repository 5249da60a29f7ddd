"""From what a user names (a file, a directory, an archive, ``pid:N``, ``-``) to images.

>>> for image in open_images("/var/crash"):
...     with image:
...         print(image.path, image.format)
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from immure.dumps.detect import HEAD_BYTES, parse_image
from immure.dumps.dump import Image, Missing, Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import FileReader, PiecesReader, SharedReader, kind_of
from immure.dumps.unreadable import Unreadable
from immure.errors import ImageError, ImmureError

if TYPE_CHECKING:
    from immure.dumps.spool import SpoolReader

Opened = Image | Unreadable


def open_images(target: str | os.PathLike[str], *, limits: Limits | None = None) -> Iterator[Opened]:
    """All images in ``target``: a file, ``-`` (standard input), ``pid:N``, a directory tree, an archive.

    Yields them one by one; close each (they are context managers). What cannot be opened inside a directory
    or archive is yielded as :class:`Unreadable`, so that the rest goes on. Symbolic links inside are not
    followed.

    Raises:
        ImageError: ``target`` itself cannot be opened (at once, not at the first ``next``).
    """
    limits = limits or Limits()
    path = os.fspath(target)
    if path.startswith("pid:"):
        from immure.dumps.process import open_process

        return iter([open_process(path, limits)])
    if path == "-":
        return _nested("-", _open_stdin(limits), limits)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be opened: {_words(error)}", path=path) from error
    if stat.S_ISDIR(mode):
        return _walk(path, limits)
    if stat.S_ISFIFO(mode):
        return _nested(path, _open_stream(path, limits), limits)
    return _nested(path, FileReader.open(path), limits)


def open_image(target: str | os.PathLike[str], *, limits: Limits | None = None) -> Image:
    """The one image in ``target``.

    Raises:
        ImageError: it cannot be opened, or holds no image, or more than one.
    """
    path = os.fspath(target)
    images: list[Image] = []
    for opened in open_images(path, limits=limits):
        if isinstance(opened, Image):
            images.append(opened)
        elif not opened.skipped:
            _close_all(images)
            raise ImageError(opened.reason, path=opened.path)
        if len(images) > 1:
            _close_all(images)
            raise ImageError("holds more than one image", path=path)
    if not images:
        raise ImageError("holds no image", path=path)
    return images[0]


def _close_all(images: list[Image]) -> None:
    for image in images:
        image.close()


def open_reader(path: str, reader: Reader, *, limits: Limits | None = None) -> Iterator[Opened]:
    """As :func:`open_images`, for bytes that are read by other means; takes ``reader`` over."""
    return _nested(path, reader, limits or Limits())


def _nested(path: str, reader: Reader, limits: Limits, depth: int = 0, nesting: int = 0) -> Iterator[Opened]:
    """What ``reader`` holds: an image, a compressed one, or an archive. Takes the reader over."""
    from immure.dumps import archives, avml, compression

    head = reader.read(0, HEAD_BYTES)
    codec = compression.detect_codec(head)
    archive = archives.detect(head)
    if codec and depth < limits.max_compression_depth:
        yield from _open_compressed(path, reader, codec, limits, depth, nesting)
    elif archive and nesting <= limits.max_nesting:
        yield from _open_archive(path, reader, archive, limits, depth, nesting)
    elif codec or archive:
        reason = f"{codec or archive} inside so many others is not opened, and searched as it is: the limit"
        yield parse_image(path, reader, limits, (Missing(0, reason, 0),))
    elif avml.detect(head):
        yield parse_image(path, avml.open_expanded(path, reader, limits), limits)
    else:
        yield parse_image(path, reader, limits)


def _open_compressed(
    path: str, reader: Reader, codec: str, limits: Limits, depth: int, nesting: int
) -> Iterator[Opened]:
    from immure.dumps.compression import open_compressed

    shared = SharedReader(reader)

    def again() -> SpoolReader:
        # the first blocks are in memory already
        in_file = replace(limits, spool_memory_bytes=0)
        return open_compressed(path, shared.acquire(), codec, in_file, shared.release)

    try:
        shared.acquire()
        inner = open_compressed(path, reader, codec, limits, shared.release, again)
        if not inner.read(0, 1) and (faults := inner.faults()):
            yield _as_it_is(path, shared, f"begins like {codec}, but {faults[0].reason}", limits)
            return
    finally:
        shared.release()
    yield from _nested(path, inner, limits, depth + 1, nesting)


def _as_it_is(path: str, shared: SharedReader, reason: str, limits: Limits) -> Image:
    """A file that is not what its first bytes say: its own bytes are searched."""
    shared.reader.wait()
    size = shared.reader.size or 0
    image = parse_image(path, PiecesReader(shared, ((0, 0, size),), size), limits)
    image.warnings += (f"{path}: {reason}: searched as raw bytes",)
    return image


def _open_archive(
    path: str, reader: Reader, archive: str, limits: Limits, depth: int, nesting: int
) -> Iterator[Opened]:
    from immure.dumps import archives

    shared = SharedReader(reader)
    try:
        for member in archives.members(path, shared, archive, limits):
            if isinstance(member, archives.Member):
                opened = _nested(member.path, member.reader, limits, depth, nesting + 1)
                yield from _guarded(member.path, opened)
            else:
                yield member
    except ImmureError as error:
        yield Unreadable(path, str(error))
        yield _as_it_is(path, shared, f"the {archive} archive is broken", limits)
    finally:
        shared.release()


def _walk(top: str, limits: Limits) -> Iterator[Opened]:
    """Depth first, sorted by name. Links are not followed, so there are no loops."""
    pending = [top]
    files = 0
    while pending:
        path = pending.pop()
        try:
            mode = os.lstat(path).st_mode if path != top else os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                names = sorted(os.listdir(path), reverse=True)
                pending.extend(os.path.join(path, name) for name in names)
                continue
            if not stat.S_ISREG(mode):
                yield Unreadable(path, f"is {kind_of(mode)}: skipped", skipped=True)
                continue
            files += 1
            if files > limits.max_files:
                yield Unreadable(top, f"holds more than {limits.max_files} files: the rest is not opened")
                return
            opened = _nested(path, FileReader.open(path), limits)
        except (OSError, ValueError) as error:
            yield Unreadable(path, f"cannot be opened: {_words(error)}")
            continue
        except ImmureError as error:
            yield Unreadable(path, error.reason)
            continue
        yield from _guarded(path, opened)


def _guarded(path: str, opened: Iterator[Opened]) -> Iterator[Opened]:
    try:
        yield from opened
    except ImmureError as error:
        yield Unreadable(path, error.reason)


def _open_stdin(limits: Limits) -> Reader:
    try:
        descriptor = os.dup(0)
    except OSError as error:
        raise ImageError("standard input is closed", path="-") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return FileReader(descriptor, "-")
    return _spool(descriptor, "-", limits)


def _open_stream(path: str, limits: Limits) -> Reader:
    try:
        return _spool(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path, limits)
    except OSError as error:
        raise ImageError(f"cannot be opened: {_words(error)}", path=path) from error


def _spool(descriptor: int, path: str, limits: Limits) -> Reader:
    from immure.dumps.spool import SpoolReader

    return SpoolReader(_pipe(descriptor), path, limits)


def _pipe(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while piece := stream.read(1 << 20):
            yield piece


def _words(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
