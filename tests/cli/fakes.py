"""A scanner and a key source that answer by the name of the target, for tests of the command line alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import ModuleType

from immure.dumps.dump import Process, Region, Thread
from immure.errors import KeySourceError
from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence, ScanReport
from immure.scanning.options import NoProgress, Progress, ScanOptions

KEY = PublicKey(
    RsaNumbers((1 << 2047) + 0x1234567, 65537), Origin("jwks.json", "prod-1", "https://login.example/v2.0")
)
HEAP = 0x5567_8C1F_0000
REGIONS = (
    Region(0, 0x1000, None, "ELF header", None, "header"),
    Region(0x1000, 0x40000, HEAP, "[heap]", "rw-p"),
    Region(0x41000, 0x3F000, 0x7FFF_1000_0000, "[stack] of thread 4711", "rw-p"),
)
PROCESS = Process(4711, "signer", None, 6, (Thread(4711),), "x86_64")


def _finding(count: int) -> Finding:
    places = [
        Occurrence(
            0x2000 + n * 0x100, 128, "pq"[n % 2], "le64", HEAP + 0x1000 + n * 0x100, True, "[heap]", "rw-p"
        )
        for n in range(count)
    ]
    return Finding(KEY, "named", "a 1024-bit number divides n", places)


def image_report(path: str) -> ImageReport:
    """The report on a target, by its name: what is not known is clean."""
    report = ImageReport(path, "ELF core", 0x80000, process=PROCESS, regions=REGIONS)
    name = PurePath(path).name
    if name.startswith("found"):
        report.findings = [_finding(7)]
    if name.startswith("long"):
        report.findings = [_finding(900)]
    if "incomplete" in name:
        report.not_searched = [NotSearched(0x41000, 0x8000, "ec", "high-entropy run", 0x7FFF_1000_0000)]
    if name.startswith("corrupt"):
        report = ImageReport(path, "raw", 0, error=f"{path}: at offset 0x40: segment 3 ends beyond the file")
    if name.startswith("empty"):
        report = ImageReport(path, "raw", 0)
    if name.startswith(("unopenable", "nowhere")):
        report = ImageReport(path, "none", 0, error="cannot be opened: Permission denied")
    return report


def scan_targets(
    targets: Sequence[str],
    *,
    keys: Sequence[PublicKey] = (),
    options: ScanOptions | None = None,
    progress: Progress | None = None,
    on_finding: Callable[[ImageReport, Finding], None] | None = None,
) -> ScanReport:
    """Like the real one."""
    options, progress = options or ScanOptions(), progress or NoProgress()
    report = ScanReport(keys=list(keys), mode=options.mode, detectors=options.detectors)
    report.statistics["images"] = len(targets)
    for target in targets:
        _misbehave(PurePath(target).name)
        image = image_report(target)
        progress.start(target, image.size)
        progress.phase("search")
        progress.advance(image.size)
        report.images.append(image)
        for finding in image.findings:
            if on_finding is not None:
                on_finding(image, finding)
        progress.finish(target)
    return report


def _misbehave(name: str) -> None:
    if name == "interrupt.core":
        raise KeyboardInterrupt
    if name == "stuck.core":  # like native code, on which Python cannot break in
        Path("reached").touch()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(time.sleep, 60).result()
    if name == "bug.core":
        raise ZeroDivisionError("a bug of ours")


@dataclass(frozen=True)
class Loaded:
    keys: tuple[PublicKey, ...]
    notes: tuple[str, ...]


def load_keys(source: str, *, allow_private_hosts: bool = False) -> Loaded:
    """Like the real one."""
    if source == "broken.json":
        raise KeySourceError("not a key set", path=source)
    return Loaded((KEY,), ("key 2 has no kid",) if source == "noted.json" else ())


def install() -> dict[str, ModuleType]:
    """Modules that stand in for the real ones, by name."""
    scanner, sources = ModuleType("immure.scanning.scanner"), ModuleType("immure.keymaterial.sources")
    vars(scanner)["scan_targets"] = scan_targets
    vars(sources)["load_keys"] = load_keys
    modules = {"immure.scanning.scanner": scanner, "immure.keymaterial.sources": sources}
    sys.modules.update(modules)
    return modules
