"""One timed scan in a process of its own: ``scan_once.py IMAGE KEYS DETECTORS MODE HARVEST THREADS``, JSON on
stdout.

What is timed is the scan, from opening the image to the finished report; imports and reading the keys are
not.
"""

import json
import sys
import tempfile
import time

import immure


def main() -> None:
    image, source, detectors, mode, harvest, threads = sys.argv[1:]
    options = immure.ScanOptions(
        mode=mode, detectors=tuple(detectors.split(",")), harvest=harvest == "yes", threads=int(threads)
    )
    keys = immure.load_keys(source)
    with tempfile.NamedTemporaryFile() as small:  # loads everything that is loaded when it is first used
        small.write(bytes(range(256)) * 64)
        small.flush()
        immure.scan_report(small.name, keys=keys[:1], options=options)
    begun = time.perf_counter()
    report = immure.scan_report(image, keys=keys, options=options)
    seconds = time.perf_counter() - begun
    skipped: dict[str, int] = {}
    for one in report.images:
        for part in one.not_searched:
            skipped[part.detector] = skipped.get(part.detector, 0) + part.length
    found = sorted({finding.key.origin.kid or finding.key.thumbprint for finding in report.findings})
    errors = [one.error for one in report.images if one.error]
    json.dump({"seconds": seconds, "found": found, "not_searched": skipped, "errors": errors}, sys.stdout)


main()
