"""Claim: AES keys are found by their schedules where ``aeskeyfind`` finds them, and where it finds none,
at many times its speed; a scan for everything else costs little more for it.

    python benchmarks/aes_schedules.py [--dir DIRECTORY] [--rounds N] [--megabytes N]

Images are made here, of fresh keys: the core of a real Python process that uses AES keys; the memory of a
server (what :func:`immure.synth.ordinary_memory` makes) and random bytes, once without any schedule, for the
speed, and once with 120 of every layout, whole and decayed, for what is found. One core (``taskset``), page
cache warm, commands in turns, medians. ``cat`` is the physical limit: the same bytes, read and thrown away.
A key counts as found if the tool names it (aeskeyfind prints it; a scan gives its fingerprint). Writes
``results/aes_schedules.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

DECAYED = (1, 3, 6, 10)
#: Of an image that shows what is found. Its speed says nothing: each key costs some 20 ms, and it has 120.
PLANTED_MEGABYTES = 4
PYTHON = """
import os, sys, time
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
keys = [os.urandom(size) for size in (16, 24, 32)]
used = [Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor() for key in keys]
used += [Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor() for key in keys]
text = b"session 17; user=alice; "
ballast = [bytes(text * 40000) if n % 4 else os.urandom(1 << 20) for n in range(int(sys.argv[1]))]
print(*(key.hex() for key in keys), flush=True)
time.sleep(3600)
"""


def core_of(argv: list[str], target: Path) -> list[bytes]:
    """Write the core of a process that prints its keys; the keys."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            keys = [bytes.fromhex(word) for word in process.stdout.readline().split()]
            gdb = ["gdb", "-nx", "-batch", "-p", str(process.pid), "-ex", f"gcore {target}"]
            subprocess.run(gdb, capture_output=True, check=True)
        finally:
            process.kill()
    return keys


def built(name: str, target: Path, megabytes: int, *, planted: bool) -> dict[str, list[bytes]]:
    """Write an image with schedules of each layout, whole and decayed, or with none; their keys by kind."""
    from immure.keymaterial.aes import LAYOUTS
    from immure.synth import ordinary_memory

    chance = random.Random(megabytes)
    keys: dict[str, list[bytes]] = {}
    with target.open("wb") as file:
        for number in range(megabytes):
            piece = ordinary_memory(1 << 20, number) if name == "server" else bytearray(os.urandom(1 << 20))
            at = 65_536
            for layout in LAYOUTS if planted and number == megabytes // 2 else ():
                for flips in (0, *DECAYED):
                    key = os.urandom(layout.key_bytes)
                    data = bytearray(layout.write(key))
                    for bit in chance.sample(range(8 * len(data)), flips):
                        data[bit // 8] ^= 1 << bit % 8
                    piece[at : at + len(data)] = data
                    at += 1024
                    order = f"{layout.order}{' be32w' * layout.swapped}"
                    keys.setdefault(f"{order}, {flips} flipped" if flips else order, []).append(key)
            file.write(piece)
    return keys


def worker(image: str, what: str) -> None:
    """One timed scan: ``aes`` alone, ``all`` (every other detector), ``both``."""
    from immure.scanning.options import DETECTORS, ScanOptions
    from immure.scanning.scanner import scan_targets

    alone = what == "aes"
    detectors = ("montgomery",) if alone else DETECTORS
    options = ScanOptions(threads=1, detectors=detectors, harvest=not alone, aes=what != "all")
    with tempfile.NamedTemporaryFile() as small:  # loads what is loaded when it is first used
        small.write(bytes(range(256)) * 64)
        small.flush()
        scan_targets([small.name], options=options)
    begun, used = time.perf_counter(), time.process_time()
    report = scan_targets([image], options=options)
    result = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "found": [finding.key.thumbprint for finding in report.findings if finding.kind == "schedule"],
    }
    json.dump(result, sys.stdout)


def run(image: Path, what: str) -> dict[str, Any]:
    argv = measure.pinned([sys.executable, __file__, "--worker", str(image), what])
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def peer(image: Path) -> tuple[float, set[str]]:
    """aeskeyfind: seconds, and the keys that it prints."""
    begun = time.perf_counter()
    done = subprocess.run(measure.pinned(["aeskeyfind", "-q", str(image)]), capture_output=True, check=False)
    seconds = time.perf_counter() - begun
    return seconds, {line.strip() for line in done.stdout.decode("ascii", "replace").splitlines()}


def bench(name: str, image: Path, keys: dict[str, list[bytes]], rounds: int) -> dict[str, Any]:
    from immure.scanning.schedules import aes_key

    measure.warm(image)
    taken: dict[str, list[float]] = {what: [] for what in ("cat", "aeskeyfind", "aes", "all", "both")}
    processor: dict[str, list[float]] = {what: [] for what in ("aes", "all", "both")}
    printed: set[str] = set()
    found: list[str] = []
    for _ in range(rounds):
        taken["cat"].append(measure.seconds_of(["cat", str(image)]))
        if shutil.which("aeskeyfind"):
            seconds, printed = peer(image)
            taken["aeskeyfind"].append(seconds)
        for what in ("aes", "all", "both"):
            once = run(image, what)
            taken[what].append(once["seconds"])
            processor[what].append(once["cpu"])
            found = once["found"] or found
    wanted = {aes_key(key).thumbprint for several in keys.values() for key in several}
    size = image.stat().st_size
    row: dict[str, Any] = {
        "image": name,
        "bytes": size,
        "seconds": {what: round(measure.median(all_), 4) for what, all_ in taken.items() if all_},
        "cpu_seconds": {what: round(measure.median(all_), 4) for what, all_ in processor.items()},
        "false_findings": len(set(found) - wanted),
        "found": {
            what: {
                "planted": len(several),
                "immure": sum(aes_key(key).thumbprint in found for key in several),
                "aeskeyfind": sum(key.hex() in printed for key in several),
            }
            for what, several in keys.items()
        },
    }
    show(row)
    return row


def show(row: dict[str, Any]) -> None:
    megabytes = row["bytes"] / 1e6
    speeds = ", ".join(f"{what} {megabytes / taken:,.0f} MB/s" for what, taken in row["seconds"].items())
    print(f"{row['image']} ({megabytes:,.0f} MB): {speeds}; false findings: {row['false_findings']}")
    for what, counts in row["found"].items():
        ours, theirs, all_ = counts["immure"], counts["aeskeyfind"], counts["planted"]
        print(f"    {what:32} immure {ours} of {all_}, aeskeyfind {theirs} of {all_}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="AES key schedules, beside aeskeyfind")
    parser.add_argument("--dir", type=Path, default=None, help="where to write the images for a while")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(*arguments.worker)
        return 0
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.dir) as scratch:
        image = Path(scratch) / "image"
        argv = [sys.executable, "-c", PYTHON, str(arguments.megabytes)]
        rows.append(bench("python", image, {"in use": core_of(argv, image)}, arguments.rounds))
        for name in ("server", "random"):
            keys = built(name, image, arguments.megabytes, planted=False)
            rows.append(bench(name, image, keys, arguments.rounds))
            keys = built(name, image, PLANTED_MEGABYTES, planted=True)
            rows.append(bench(f"{name}, planted", image, keys, 1))
    content = {"rounds": arguments.rounds, "megabytes": arguments.megabytes, "rows": rows}
    print(f"written to {measure.save('aes_schedules', content)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
