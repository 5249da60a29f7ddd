"""Reports of Apport, Ubuntu's collector of crashes (``/var/crash/*.crash``).

Layout: the format of Debian control files; a value that says ``base64`` goes on in lines that begin with a
blank, each of which is a base64 text of its own; put together they are a compressed file (gzip; zstd in newer
versions). Source: ``problem_report.py`` of Apport.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from immure.dumps.dump import Reader
from immure.dumps.limits import Limits
from immure.dumps.readers import SharedReader
from immure.dumps.spool import SpoolReader
from immure.dumps.tables import Window
from immure.dumps.unreadable import Unreadable
from immure.watching.containers.base64_stream import base64
from immure.watching.containers.part import Container, Part

#: Apport writes lines of a mebibyte of data each.
_STEP: Final = 1 << 18
_KEY: Final = re.compile(rb"([A-Za-z0-9_.-]{1,128}):[ \t]?(base64)?[ \t]*\r?\n")
_HEAD: Final = re.compile(rb"(?m)^(ProblemType|CrashCounter|ExecutablePath|CoreDump|Architecture): ?")


def detect(head: bytes) -> bool:
    """Whether a file begins with keys of such a report."""
    return _HEAD.match(head) is not None and len(_HEAD.findall(head)) >= 2


def parts(shared: SharedReader, limits: Limits) -> Iterator[Part | Unreadable]:
    """The values in base64; the core dump among them is called ``CoreDump``."""
    shared.reader.wait()
    for number, (name, start, stop) in enumerate(_values(shared.reader), 1):
        if number > limits.max_members:
            yield Unreadable("", f"holds more than {limits.max_members} values: the rest is not opened")
            return
        pieces = base64(shared.acquire(), start, stop)
        yield Part(name, SpoolReader(pieces, name, limits, shared.release))


def _values(reader: Reader) -> Iterator[tuple[str, int, int]]:
    """Name of the value, where its lines begin and where they end."""
    name, start = "", 0
    for at, line in _first_columns(reader):
        if not line.startswith((b" ", b"\t")):
            if name:
                yield name, start, at
            key = _KEY.fullmatch(line)
            name = key[1].decode("ascii") if key and key[2] else ""
            start = at + len(line)
    if name:
        yield name, start, reader.size or 0


def _first_columns(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """The beginning of each line, up to 256 bytes, and where it is; of long lines the rest is passed over."""
    window = Window(reader, 0, reader.size or 0)
    while line := window.peek(256):
        at, end = window.position, line.find(b"\n")
        yield at, line if end < 0 else line[: end + 1]
        while end < 0 and line:
            window.take(len(line))
            line = window.peek(_STEP)
            end = line.find(b"\n")
        window.take(end + 1)


CONTAINER: Final = Container("apport", detect, parts)
