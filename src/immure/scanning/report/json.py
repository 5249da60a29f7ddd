"""The report for programs: JSON in the shape of ``scan-report-1.schema.json``.

Fields are only ever added to version 1 of the shape. Written piece by piece, in ASCII, one line for each
occurrence: large reports need little memory, differences between two are readable, and no name out of an
image can reach a terminal as a control character.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from immure.dumps.dump import Process, Region
from immure.keymaterial.key import EcNumbers, OkpNumbers, PublicKey
from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence, Partial, ScanReport
from immure.scanning.report import tool
from immure.scanning.report.words import utc

#: Names the shape and its version; readers refuse what they do not know.
SCHEMA_ID = "https://immure.example/schemas/scan-report-1.json"
SCHEMA_FILE = "scan-report-1.schema.json"

_encode = json.JSONEncoder(allow_nan=False).encode


def write_json(report: ScanReport, stream: TextIO) -> None:
    """Write ``report`` as JSON."""
    for piece in encoded(to_json(report)):
        stream.write(piece)
    stream.write("\n")


def read_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what :func:`write_json` writes."""
    from importlib.resources import files

    text = files("immure.scanning.report").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def to_json(report: ScanReport) -> dict[str, Any]:
    """``report`` as plain values; the lists in it that may be long are made when they are read."""
    return {
        "schema": SCHEMA_ID,
        "tool": {"name": tool.NAME, "version": tool.version()},
        "mode": report.mode,
        "detectors": list(report.detectors),
        "complete": report.complete,
        "keys": [_key(key) for key in report.keys],
        **({"sketched": report.sketched} if report.sketched else {}),
        "images": (_image(image) for image in report.images),
        "statistics": numbers(report.statistics),
    }


def _image(image: ImageReport) -> dict[str, Any]:
    return {
        "path": image.path,
        "format": image.format,
        "size": image.size,
        "complete": image.complete,
        "error": image.error,
        "warnings": list(image.warnings),
        "process": None if image.process is None else _process(image.process),
        "regions": _regions(image.regions),
        "findings": (_finding(finding) for finding in image.findings),
        "not_searched": (_not_searched(entry) for entry in image.not_searched),
        "statistics": numbers(image.statistics),
    }


def _process(process: Process) -> dict[str, Any]:
    # the command line is left out: passwords and tokens stand in command lines, and reports get passed on
    return {
        "pid": process.pid,
        "name": process.name,
        "signal": process.signal,
        "machine": process.machine,
        "threads": len(process.threads),
    }


def _regions(regions: Sequence[Region]) -> dict[str, Any]:
    kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for region in regions:
        kinds[region.kind][0] += 1
        kinds[region.kind][1] += region.length
    return {
        "count": len(regions),
        "bytes": sum(region.length for region in regions),
        "kinds": {kind: {"count": count, "bytes": length} for kind, (count, length) in sorted(kinds.items())},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "key": _key(finding.key),
        "kind": finding.kind,
        "whole": finding.whole,
        "proof": finding.proof,
        "partial": None if finding.partial is None else _partial(finding.partial),
        "also_known_as": [_key(key) for key in finding.also_known_as],
        "occurrences": (_occurrence(occurrence) for occurrence in finding.occurrences),
    }


def _partial(partial: Partial) -> dict[str, Any]:
    return {
        "secret": partial.secret,
        "known_bits": partial.known_bits,
        "bits": partial.bits,
        "rebuilt": partial.rebuilt,
        "method": partial.method,
    }


def _key(key: PublicKey) -> dict[str, Any]:
    origin = key.origin
    curve = key.numbers.curve if isinstance(key.numbers, EcNumbers | OkpNumbers) else None
    return {
        "kty": key.kty,
        "kid": origin.kid,
        "thumbprint": key.thumbprint,
        "issuer": origin.issuer,
        "source": origin.source,
        "size": key.size,
        "crv": curve,
        "use": origin.use,
        "alg": origin.alg,
        "cloud_instance_name": origin.cloud_instance_name,
        "not_before": utc(origin.not_before),
        "not_after": utc(origin.not_after),
        "harvested_at": origin.harvested_at,
    }


def _occurrence(occurrence: Occurrence) -> dict[str, Any]:
    return {
        "secret": occurrence.secret,
        "encoding": occurrence.encoding,
        "offset": occurrence.offset,
        "virtual_address": occurrence.virtual_address,
        "length": occurrence.length,
        "whole": occurrence.whole,
        "region": occurrence.region,
        "permissions": occurrence.permissions,
    }


def _not_searched(entry: NotSearched) -> dict[str, Any]:
    return {
        "offset": entry.offset,
        "length": entry.length,
        "detector": entry.detector,
        "reason": entry.reason,
        "virtual_address": entry.virtual_address,
    }


def numbers(statistics: Mapping[str, float | int]) -> dict[str, float | int | None]:
    """Statistics as JSON has them: it knows neither infinity nor NaN."""
    return {name: value if math.isfinite(value) else None for name, value in statistics.items()}


def encoded(value: Any, indent: str = "") -> Iterator[str]:
    """``value`` as JSON text in pieces: containers of containers over several lines, the others on one."""
    if isinstance(value, dict) and not _is_flat(value.values()):
        yield from _block(((f"{_encode(name)}: ", item) for name, item in value.items()), "{}", indent)
    elif isinstance(value, Iterator) or (isinstance(value, list) and not _is_flat(value)):
        yield from _block((("", item) for item in value), "[]", indent)
    else:
        yield _encode(value)


def _is_flat(items: Any) -> bool:
    return not any(isinstance(item, dict | list | Iterator) for item in items)


def _block(items: Iterator[tuple[str, Any]], brackets: str, indent: str) -> Iterator[str]:
    deeper = f"{indent}  "
    separator = "\n"
    yield brackets[0]
    for prefix, item in items:
        yield f"{separator}{deeper}{prefix}"
        yield from encoded(item, deeper)
        separator = ",\n"
    yield brackets[1] if separator == "\n" else f"\n{indent}{brackets[1]}"
