"""Immure: signing keys stay inside the walls.

>>> import immure
>>> for finding in immure.scan("app.core", keys="jwks.json"):   # doctest: +SKIP
...     print(finding.key.thumbprint, finding.proof)

Everything heavy is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from immure.api import load_keys, scan, scan_report
    from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence, ScanReport
    from immure.scanning.options import ScanOptions

__version__ = "0.1.0"

_WHERE = {
    "scan": "immure.api",
    "scan_report": "immure.api",
    "load_keys": "immure.api",
    "Finding": "immure.scanning.finding",
    "ImageReport": "immure.scanning.finding",
    "NotSearched": "immure.scanning.finding",
    "Occurrence": "immure.scanning.finding",
    "ScanReport": "immure.scanning.finding",
    "ScanOptions": "immure.scanning.options",
}

__all__ = [
    "Finding",
    "ImageReport",
    "NotSearched",
    "Occurrence",
    "ScanOptions",
    "ScanReport",
    "__version__",
    "load_keys",
    "scan",
    "scan_report",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'immure' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value
