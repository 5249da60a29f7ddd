"""Where a report goes: standard output, or a file that appears whole or not at all."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from immure.cli.messages import silence_stdout
from immure.errors import UsageError
from immure.files import replacing


@contextmanager
def open_output(path: str | None, *, utf8: bool = True) -> Iterator[TextIO]:
    """Standard output if ``path`` is None, else a file that takes its place only when it is complete.

    Files are UTF-8; standard output has the terminal's encoding unless ``utf8``.
    """
    if path is None:
        if utf8 and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            silence_stdout()
            raise UsageError(f"cannot write the report: {error.strerror}", path="standard output") from error
        return
    target = _target(path)
    try:
        writer = _write_directly(target) if _is_special(target) else _replace(target)
        with writer as stream:
            yield stream
    except OSError as error:
        raise UsageError(f"cannot write the report: {error.strerror}", path=path) from error


def check_writable(path: str) -> None:
    """Refuse an output that cannot be written before hours are spent on a scan."""
    target = _target(path)
    if target.is_dir():
        raise UsageError("cannot write the report: this is a directory", path=path)
    if not os.access(target if _is_special(target) else target.parent, os.W_OK):
        raise UsageError("cannot write the report: no such directory, or no permission", path=path)


def _target(path: str) -> Path:
    """The file that ``path`` leads to. Pipes are not followed: ``/dev/stdout`` leads to a name that no file
    has."""
    return Path(path) if _is_special(Path(path)) else Path(os.path.realpath(path))


def _is_special(target: Path) -> bool:
    """Whether ``target`` is a device or pipe, which must be written to and not be replaced."""
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _write_directly(target: Path) -> Iterator[TextIO]:
    with target.open("w", encoding="utf-8") as stream:
        yield stream


@contextmanager
def _replace(target: Path) -> Iterator[TextIO]:
    with replacing(target) as binary:
        stream = io.TextIOWrapper(binary, encoding="utf-8")
        yield stream
        stream.flush()
        stream.detach()
