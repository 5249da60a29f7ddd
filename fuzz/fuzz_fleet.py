"""Feeds altered messages, frames, URLs and amounts to what reads them in a fleet: only our errors come out,
and nothing is made of a message but values of ours."""

from __future__ import annotations

import io
from contextlib import suppress

from driver import run

from immure.errors import ImmureError, UsageError
from immure.fleet.amounts import parse_bytes, parse_rate
from immure.fleet.engines.dask_link import scheduler_address
from immure.fleet.engines.frames import read_frame, write_frame
from immure.fleet.engines.named import EngineOptions
from immure.fleet.results import Failure, Rank, Scanned, Searched, Surveyed, Swept
from immure.fleet.store import _parts
from immure.fleet.tasks import Place, Pointer, Question, Search, Sweep, Tally
from immure.fleet.wire import _KNOWN, pack, unpack
from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence
from immure.scanning.options import ScanOptions

KEY = PublicKey(RsaNumbers((1 << 1023) + 7, 65537), Origin("jwks.json", "kid"))
SPOT = Occurrence(5, 64, "p", "le64")
REPORT = ImageReport(
    "s3://b/k", "raw", 10, [Finding(KEY, "named", "words", [SPOT])], [NotSearched(0, 1, "ec", "x")]
)
PLACE = Place("s3://b/k", 10, "ETag=1")
VALUES = (
    Question(ScanOptions(), (KEY,)),
    Search(PLACE, 0, 10, Tally(), ((KEY, "harvested"),)),
    Sweep(PLACE, 0, 10, Tally(), (Pointer(KEY, 5, 0, 10),)),
    Scanned((REPORT,), ((0, 10),)),
    Surveyed(Tally(), ((KEY, "unnamed"),), ((0, 10),)),
    Searched(REPORT, ((KEY.numbers, Rank((False, 1, 2), "words", 2)),), ((0, 10),)),
    Swept(((KEY.numbers, (SPOT,)),), ((0, 10),)),
    Failure("broken", passes=True),
)
NAMES = {name for names in _KNOWN.values() for name in names}
PLAIN = {
    "int",
    "str",
    "bytes",
    "bytearray",
    "float",
    "bool",
    "NoneType",
    "tuple",
    "list",
    "dict",
    "set",
    "frozenset",
    "complex",
}


def check(data: bytes) -> None:
    """A message by its head; else a frame, a URL, an address, an amount."""
    with suppress(ImmureError):
        assert type(unpack(data)).__name__ in NAMES | PLAIN | {"type", "ABCMeta"}
    with suppress(ImmureError):
        frame = read_frame(io.BytesIO(data))
        if frame is not None:
            again = io.BytesIO()
            write_frame(again, frame)
            assert data.startswith(again.getvalue())
    text = data.decode("utf-8", "replace")
    for parse in (parse_bytes, parse_rate, _parts):
        with suppress(UsageError):
            parse(text)
    with suppress(UsageError):
        address = scheduler_address(text, EngineOptions())
        assert address.startswith(("tcp://127.", "tcp://localhost:", "tcp://["))


if __name__ == "__main__":
    texts = [
        b"1PB",
        b"1.5 GiB",
        b"10Gbit/s",
        b"dask://127.0.0.1:8786",
        b"dask://[::1]:8786",
        b"s3://bucket/a/b",
        b"\0\0\0\3abc",
    ]
    run(check, [*map(pack, VALUES), *texts])
