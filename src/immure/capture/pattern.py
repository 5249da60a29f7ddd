"""``core_pattern``: where the kernel sends cores, who that is, and how to change it for a while.

>>> Pattern("|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h %d").owner
'systemd-coredump'
>>> Pattern("@@/run/immure/core.sock").kind
'socket'
>>> Pattern("core.%p").kind, Pattern("core.%p").owner
('file', None)

Source: core(5), and for sockets the kernel's ``fs/coredump.c`` (Linux 6.16 and later).
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from immure.errors import CaptureError

CORE_PATTERN: Final = Path("/proc/sys/kernel/core_pattern")
PIPE_LIMIT: Final = Path("/proc/sys/kernel/core_pipe_limit")
#: Held while the pattern is changed for a while; holds what stood there, so that it can be put back even if
#: whoever changed it was killed.
LOCK: Final = Path("/run/immure-core-pattern.lock")
#: What the kernel does when nobody has said anything.
KERNEL_DEFAULT: Final = "core"
MOST_BYTES: Final = 127

#: How the kernel may be told to send cores: to a program, a socket, a socket that is asked first.
Via = Literal["pipe", "socket", "asking-socket"]
VIA: Final[tuple[Via, ...]] = ("pipe", "socket", "asking-socket")
_SOCKET_FROM, _ASKING_FROM = (6, 16), (6, 17)
_HANDLER: Final = "capture handle"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A value of ``core_pattern``."""

    text: str

    @property
    def kind(self) -> Literal["file", "pipe", "socket"]:
        """Where it sends cores."""
        if self.text.startswith("|"):
            return "pipe"
        return "socket" if self.text.startswith("@") else "file"

    @property
    def owner(self) -> str | None:
        """Whose it is: ``immure``, another program by name, another socket by path; None for files."""
        if self.kind == "file":
            return None
        if self.kind == "socket":
            path = self.text.lstrip("@")
            return "immure" if "/immure/" in path else path
        words = self.text[1:].split()
        if _HANDLER in self.text and "immure" in os.path.basename(words[0]):
            return "immure"
        return os.path.basename(words[0]) if words else "nobody"

    def check(self) -> Pattern:
        """Refuse what the kernel would cut off, or not understand.

        Raises:
            CaptureError: it is too long, or no single line.
        """
        if len(os.fsencode(self.text)) > MOST_BYTES:
            raise CaptureError(
                f"a core_pattern of more than {MOST_BYTES} bytes is cut off by the kernel: {self.text}"
            )
        if not self.text or "\n" in self.text:
            raise CaptureError("a core_pattern is one line")
        return self


def via_of_kernel(release: str | None = None) -> Via:
    """The best way that a kernel offers.

    >>> via_of_kernel("6.12.9-amd64"), via_of_kernel("6.16.0"), via_of_kernel("6.18.44-fc")
    ('pipe', 'socket', 'asking-socket')
    """
    match = re.match(r"([0-9]+)\.([0-9]+)", release if release is not None else os.uname().release)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version >= _ASKING_FROM:
        return "asking-socket"
    return "socket" if version >= _SOCKET_FROM else "pipe"


def our_pattern(via: Via, *, socket: Path, program: str, config: Path | None = None) -> Pattern:
    """The pattern that sends cores to us.

    Raises:
        CaptureError: it would be too long.
    """
    if via == "pipe":
        more = f" -c {config}" if config is not None else ""
        return Pattern(f"|{program} {_HANDLER}{more} %P %s %u %g").check()
    return Pattern(f"{'@@' if via == 'asking-socket' else '@'}{socket}").check()


def read_pattern() -> Pattern:
    """The pattern in force.

    Raises:
        CaptureError: it cannot be read: this is no Linux, or not all of one.
    """
    return Pattern(_read(CORE_PATTERN))


def read_pipe_limit() -> int:
    """``core_pipe_limit``: how many handlers the kernel starts at a time and waits for; 0 for any, without
    waiting.

    Raises:
        CaptureError: it cannot be read.
    """
    text = _read(PIPE_LIMIT)
    return int(text) if text.isdigit() else 0


def write_pattern(pattern: Pattern, *, pipe_limit: int | None = None) -> None:
    """Put a pattern in force.

    Raises:
        CaptureError: we may not, or the kernel does not take it.
    """
    if pipe_limit is not None:
        _write(PIPE_LIMIT, str(pipe_limit))
    _write(CORE_PATTERN, pattern.text)


@contextmanager
def temporarily(pattern: Pattern, *, pipe_limit: int | None = None) -> Iterator[None]:
    """Have a pattern in force while the block runs; nobody else who asks this way has another one meanwhile.

    Raises:
        CaptureError: we may not.
    """
    with changing():
        limit = None if pipe_limit is None else read_pipe_limit()
        try:
            write_pattern(pattern, pipe_limit=pipe_limit)
            yield
        finally:
            if limit is not None:
                _write(PIPE_LIMIT, str(limit))


@contextmanager
def changing() -> Iterator[None]:
    """The pattern may be changed in the block, and is put back at its end; if this process is killed, the
    next one that comes here puts it back.

    Raises:
        CaptureError: we may not.
    """
    try:
        lock = LOCK.open("a+", encoding="utf-8")
    except OSError as error:
        raise CaptureError(f"cannot be opened: {error.strerror}", path=str(LOCK)) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        left_behind = lock.read().strip()
        if left_behind:
            _write(CORE_PATTERN, left_behind)
        before = _read(CORE_PATTERN)
        lock.truncate(0)
        lock.write(before + "\n")
        lock.flush()
        try:
            yield
        finally:
            _write(CORE_PATTERN, before)
            lock.truncate(0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except OSError as error:
        raise CaptureError(f"cannot be read: {error.strerror}", path=str(path)) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise CaptureError(f"cannot be written: {error.strerror}", path=str(path)) from error
