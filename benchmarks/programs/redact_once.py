"""Redacts a dump once, or sweeps it for its keys only, and prints seconds, phases and memory as JSON.

python redact_once.py IMAGE KEYS COPY no-debugger|debugger|sweep
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import immure
from immure.dumps.open import open_image
from immure.redact import RedactOptions, redact_file
from immure.redact.needles import SHORTEST_PIECE
from immure.redact.plan import pieces
from immure.scanning.chunks import Chunk, for_each_chunk, load, plan_chunks
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.occurrences import Sweeper
from immure.scanning.options import NoProgress, ScanOptions
from immure.scanning.scanner import prove_image

ONE = ScanOptions(threads=1)
CHUNK = 1 << 20
CLOCK = time.perf_counter


class Phases(NoProgress):
    """Notes when each phase begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def phase(self, name: str) -> None:
        self.begun.append((name, CLOCK()))

    def seconds(self, end: float) -> dict[str, float]:
        times = [*(moment for _, moment in self.begun), end]
        result: dict[str, float] = {}
        for (name, start), stop in zip(self.begun, times[1:], strict=True):
            result[name] = round(result.get(name, 0.0) + stop - start, 3)
        return result


def peak_mib() -> int:
    """The highest memory of this process apart from pages of files, as far as the kernel kept it."""
    status = Path("/proc/self/status").read_text().splitlines()
    fields = {line.split(":")[0]: line.split()[1] for line in status if "kB" in line}
    return (int(fields["VmHWM"]) - int(fields["RssFile"])) >> 10


def redact(image: str, keys: str, copy: str, debugger: bool) -> dict[str, object]:
    phases, named = Phases(), immure.load_keys(keys)
    begun = CLOCK()
    record = redact_file(
        image, copy, keys=named, options=RedactOptions(scan=ONE, debugger=debugger), progress=phases
    )
    end = CLOCK()
    return {"seconds": end - begun, "phases": phases.seconds(end), "keys": len(record.findings)}


def sweep(path: str, keys: str) -> dict[str, object]:
    with open_image(path) as image:
        report, proofs = prove_image(image, immure.load_keys(keys), ONE)
        sweeper = Sweeper(proofs, pieces, least=SHORTEST_PIECE)

        def examine(space: Workspace, chunk: Chunk) -> int:
            load(image.reader, chunk, space)
            return len(sweeper.examine(space, chunk))

        begun = CLOCK()
        chunks = plan_chunks(image, CHUNK)
        places = sum(count for _, count in for_each_chunk(chunks, CHUNK, examine, 1))
        return {"seconds": CLOCK() - begun, "places": places, "keys": len(report.findings)}


def main() -> None:
    image, keys, copy, how = sys.argv[1:]
    result = sweep(image, keys) if how == "sweep" else redact(image, keys, copy, how == "debugger")
    print(json.dumps({**result, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
