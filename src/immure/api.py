"""The library's front door: three functions.

``scan`` yields findings, ``scan_report`` gives the whole report (also what was *not* searched), ``load_keys``
reads public keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from immure.errors import ImageError
from immure.keymaterial.key import PublicKey
from immure.keymaterial.sources import load_keys as load_source
from immure.scanning.finding import Finding, ImageReport, ScanReport
from immure.scanning.options import Progress, ScanOptions
from immure.scanning.scanner import check_options, scan_each, scan_targets

Path = str | os.PathLike[str]
Keys = Path | PublicKey | Iterable["Path | PublicKey"]
_MOST_NOTES = 20


def load_keys(source: Path) -> list[PublicKey]:
    """The public keys of a JWKS file or URL, an OIDC issuer's URL, PEM or DER files, certificates, OpenSSH
    public keys, or a directory of these.

    Raises:
        KeySourceError: the source cannot be read, or holds no key.
    """
    return list(load_source(os.fspath(source)).keys)


def _all_keys(keys: Keys) -> list[PublicKey]:
    if isinstance(keys, PublicKey):
        return [keys]
    if isinstance(keys, str | os.PathLike):
        return load_keys(keys)
    return [key for one in keys for key in ([one] if isinstance(one, PublicKey) else load_keys(one))]


def _all_targets(targets: Path | Sequence[Path]) -> list[str]:
    if isinstance(targets, str | os.PathLike):
        return [os.fspath(targets)]
    return [os.fspath(target) for target in targets]


def scan(
    targets: Path | Sequence[Path],
    *,
    keys: Keys = (),
    options: ScanOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[Finding]:
    """Findings in crash dumps, memory images, directories or archives of them, ``pid:N``, or ``-``, as each
    image is done.

    A clean result says nothing about what could not be searched: :func:`scan_report` does. What cannot be
    read raises only when everything else has been scanned, so it costs no finding.

    Args:
        targets: what to scan.
        keys: public keys, or sources of them; those that stand in an image are searched for besides.
        options: how; see :class:`~immure.scanning.options.ScanOptions`.
        progress: told of progress; by default nobody is.

    Raises:
        ImageError: a target cannot be opened, or an image in it cannot be read at all; its notes name the
            others of which that is true.
        KeySourceError: a source of keys cannot be read.
        UsageError: the options make no sense.
    """
    options = options or ScanOptions()
    check_options(options)
    return _findings(scan_each(_all_targets(targets), _all_keys(keys), options, progress))


def _findings(reports: Iterable[ImageReport]) -> Iterator[Finding]:
    unread: list[ImageReport] = []
    for report in reports:
        yield from report.findings
        if report.error:
            unread.append(report)
    if unread:
        first, *others = unread
        error = ImageError(first.error or "cannot be read", path=first.path)
        for other in others[:_MOST_NOTES]:
            error.add_note(f"{other.path}: {other.error}")
        if len(others) > _MOST_NOTES:
            error.add_note(f"and {len(others) - _MOST_NOTES} more")
        raise error


def scan_report(
    targets: Path | Sequence[Path],
    *,
    keys: Keys = (),
    options: ScanOptions | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """The whole report: findings, what was not searched and why, statistics. Arguments and errors as for
    :func:`scan`, except that an image which cannot be read gets a report with an ``error`` instead."""
    return scan_targets(_all_targets(targets), keys=_all_keys(keys), options=options, progress=progress)
