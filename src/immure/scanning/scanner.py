"""Scans of images and of targets that hold them.

>>> report = scan_targets(["app.core"], keys=keys)   # doctest: +SKIP
>>> report.findings[0].proof                         # doctest: +SKIP
'a 1024-bit number divides n'
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from immure.dumps.dump import Image
from immure.dumps.open import open_images
from immure.dumps.unreadable import Unreadable
from immure.errors import ImmureError, UsageError
from immure.keymaterial.key import PublicKey
from immure.scanning.deep.budget import DETECTOR as DEEP_DETECTOR
from immure.scanning.finding import Finding, ImageReport, ScanReport
from immure.scanning.gaps import bytes_to_read
from immure.scanning.image_scan import ImageScan
from immure.scanning.keyset import KeySet
from immure.scanning.occurrences import Sweeps
from immure.scanning.options import DETECTORS, NoProgress, Progress, ScanOptions
from immure.scanning.proofs import Proof
from immure.scanning.schedules import DETECTOR as AES_DETECTOR
from immure.scanning.sketches import DETECTOR, Hunt
from immure.scanning.token_key import DETECTOR as TOKEN_DETECTOR

OnFinding = Callable[[ImageReport, Finding], None]


def check_options(options: ScanOptions) -> None:
    """Refuse options that make no sense.

    Raises:
        UsageError: a detector is unknown, or none is chosen; too few threads or bytes.
    """
    unknown = [name for name in options.detectors if name not in DETECTORS]
    if unknown or not options.detectors:
        raise UsageError(
            f"unknown detector {', '.join(unknown) or '(none)'}; there are {', '.join(DETECTORS)}"
        )
    if options.threads < 1 or options.chunk_bytes < 4096 or options.chunk_bytes % 4096:
        raise UsageError("threads must be at least 1, chunk_bytes a multiple of 4,096")


def scan_image(
    image: Image,
    keys: Sequence[PublicKey] = (),
    options: ScanOptions | None = None,
    progress: Progress | None = None,
) -> ImageReport:
    """Scan one open image.

    Raises:
        UsageError: the options make no sense.
    """
    return prove_image(image, keys, options, progress)[0]


def prove_image(
    image: Image,
    keys: Sequence[PublicKey] = (),
    options: ScanOptions | None = None,
    progress: Progress | None = None,
    sweeps: Sweeps | None = None,
    hunt: Hunt | None = None,
) -> tuple[ImageReport, list[Proof]]:
    """As :func:`scan_image`; besides, a proof for each finding, which holds the private key: whoever wants to
    erase a key has to know all of it. ``sweeps`` may look for more than reports tell; it has it in the end,
    and ``hunt`` has the bytes of what was found by sketches.

    Raises:
        UsageError: the options make no sense.
        LimitError: more places were found than ``sweeps`` takes.
    """
    options, progress = options or ScanOptions(), progress or NoProgress()
    check_options(options)
    progress.start(image.path, bytes_to_read(image))
    scan = ImageScan(image, KeySet(keys), options, progress, sweeps, hunt)
    try:
        return scan.run(), scan.proofs
    finally:
        progress.finish(image.path)


def scan_targets(
    targets: Sequence[str],
    *,
    keys: Sequence[PublicKey] = (),
    options: ScanOptions | None = None,
    progress: Progress | None = None,
    on_finding: OnFinding | None = None,
) -> ScanReport:
    """Scan everything in the targets: files, directories, archives, ``pid:N``, ``-``.

    ``on_finding`` is called for each finding as soon as its image is done. What cannot be opened, a target
    itself or something in it, gets a report with an ``error``; the others are scanned all the same.

    Raises:
        UsageError: the options make no sense.
    """
    options = options or ScanOptions()
    check_options(options)
    began = time.perf_counter()
    report = ScanReport(keys=list(keys), mode=options.mode, detectors=searched_by(options))
    report.sketched = sum(len(sketch.secrets) for sketch in options.sketches)
    for image_report in scan_each(targets, keys, options, progress):
        report.images.append(image_report)
        if on_finding is not None:
            for finding in image_report.findings:
                on_finding(image_report, finding)
    seconds = time.perf_counter() - began
    total = sum(image.size for image in report.images)
    report.statistics = {"images": len(report.images), "bytes": total, "seconds": round(seconds, 6)}
    return report


def searched_by(options: ScanOptions) -> tuple[str, ...]:
    """What reports name as detectors: sketches, tokens, damaged keys and AES keys are searched for by
    themselves."""
    more = (DETECTOR,) * bool(options.sketches) + (TOKEN_DETECTOR,) * bool(options.token)
    more += (DEEP_DETECTOR,) * options.deep + (AES_DETECTOR,) * options.aes
    return (*options.detectors, *more)


def scan_each(
    targets: Sequence[str],
    keys: Sequence[PublicKey],
    options: ScanOptions,
    progress: Progress | None = None,
) -> Iterator[ImageReport]:
    """One report after the other; see :func:`scan_targets`."""
    for target in targets:
        for opened in _open(target):
            if isinstance(opened, Unreadable):
                yield _unreadable(opened)
            else:
                with opened as image:
                    yield _scan_or_say(image, keys, options, progress)


def _open(target: str) -> Iterator[Image | Unreadable]:
    """What is in a target; if that cannot be opened, it is one more thing that is unreadable."""
    try:
        yield from open_images(target)
    except ImmureError as error:
        yield Unreadable(error.path or target, _words(error, error.path or target))


def _scan_or_say(
    image: Image, keys: Sequence[PublicKey], options: ScanOptions, progress: Progress | None
) -> ImageReport:
    """The report on one of several images: what is wrong with this one must not cost those on the others."""
    try:
        return scan_image(image, keys, options, progress)
    except UsageError:
        raise
    except ImmureError as error:
        words = _words(error, image.path)
        return ImageReport(image.path, image.format, image.reader.size or 0, error=words)


def _words(error: ImmureError, path: str) -> str:
    """Offset and reason; the report names the path."""
    return str(error).removeprefix(f"{path}: ")


def _unreadable(opened: Unreadable) -> ImageReport:
    report = ImageReport(opened.path, "none", 0)
    if opened.skipped:
        report.warnings.append(opened.reason)
    else:
        report.error = opened.reason
    return report
