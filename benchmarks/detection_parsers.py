"""How many mailbox records a second one core brings to columns, against what cannot be undercut.

    python benchmarks/detection_parsers.py [RECORDS]     # writes results/detection_parsers.json

The limit is reading the bytes and finding where each record ends (msgspec, ``Raw``), in the same run. Beside
it: msgspec into structs and into dicts, without making columns of them. Accesses to single messages, but for
the row that has as many synchronisations among them as a mailbox log has. Rounds are interleaved, so that a
busy neighbour hits all alike; the best round counts, as CPU time of this process. The bar is for lines.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import msgspec
import pyarrow

from immure.detections.sources import read
from immure.detections.sources.m365 import M365Audit
from immure.detections.sources.source import Source
from immure.synth.logs import mailbox

RECORDS, ROUNDS, PIECE = 100_000, 7, 1 << 20
BAR = 350_000


class Item(msgspec.Struct, gc=False):
    InternetMessageId: str | None = None


class Folder(msgspec.Struct, gc=False):
    Path: str | None = None
    FolderItems: list[Item] | None = None


class Record(msgspec.Struct, gc=False):
    """The members that are read, and nothing done with them."""

    Id: str
    CreationTime: str
    Operation: str
    OrganizationId: str | None = None
    UserId: str | None = None
    ClientAppId: str | None = None
    ClientIPAddress: str | None = None
    ClientInfoString: str | None = None
    MailboxGuid: str | None = None
    MailboxOwnerUPN: str | None = None
    SessionId: str | None = None
    AppAccessContext: dict[str, str] | None = None
    Folders: list[Folder] | None = None


def pieces(path: Path) -> Any:
    """Whole lines, about a mebibyte at a time."""
    with path.open("rb", buffering=0) as stream:
        rest = b""
        while piece := stream.read(PIECE):
            body, _, rest = (rest + piece).rpartition(b"\n")
            yield body + b"\n"


def by_msgspec(kind: Any) -> Callable[[Path], int]:
    decode = msgspec.json.Decoder(kind).decode_lines
    return lambda path: sum(len(decode(body)) for body in pieces(path))


def by_source(source: Source) -> Callable[[Path], int]:
    def run(path: Path) -> int:
        made = 0
        for chunk in read(path, source=source):
            assert not chunk.not_understood
            made += chunk.made
        return made

    return run


def measured(ways: dict[str, tuple[Callable[[Path], int], Path]], count: int) -> dict[str, float]:
    """Records a second of each."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, (way, path) in ways.items():
            begun = time.process_time()
            made = way(path)
            best[name] = min(best[name], time.process_time() - begun)
            assert made == count, name
    return {name: count / seconds for name, seconds in best.items()}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    pyarrow.set_cpu_count(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        found = [one for one in mailbox.accesses(count + count // 4, seed=1) if one.access == "Bind"][:count]
        lines, mixed, array, table = (Path(folder, name) for name in ("lines", "mixed", "array", "csv"))
        lines.write_bytes(mailbox.json_lines(found))
        mixed.write_bytes(mailbox.json_lines(mailbox.accesses(count, seed=2)))
        array.write_bytes(mailbox.json_array(found))
        table.write_bytes(mailbox.audit_csv(found))
        size = lines.stat().st_size
        ways = {
            "limit: read, find the records": (by_msgspec(msgspec.Raw), lines),
            "msgspec, structs": (by_msgspec(Record), lines),
            "msgspec, dicts": (by_msgspec(dict), lines),
            "immure, lines": (by_source(M365Audit()), lines),
            "immure, lines with syncs": (by_source(M365Audit()), mixed),
            "immure, array": (by_source(M365Audit()), array),
            "immure, csv": (by_source(M365Audit()), table),
        }
        rates = measured(ways, count)
    limit = next(iter(rates.values()))
    result = {
        "records": count,
        "bytes_per_record": round(size / count),
        "records_per_second": {name: round(rate) for name, rate in rates.items()},
        "times_the_limit": {name: round(limit / rate, 2) for name, rate in rates.items()},
        "bar": BAR,
        "bar_met": rates["immure, lines"] >= BAR,
        "machine": measure.machine(),
        "load": os.getloadavg(),
    }
    measure.RESULTS.joinpath("detection_parsers.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"{count} records of {size / count:.0f} bytes; load {os.getloadavg()[0]:.1f}")
    for name, rate in rates.items():
        print(f"{name:32} {rate / 1000:8.0f} k/s   {limit / rate:5.2f} x the limit")
    print(f"bar: {BAR / 1000:.0f} k/s of lines, {'met' if result['bar_met'] else 'NOT met'}")


if __name__ == "__main__":
    main()
