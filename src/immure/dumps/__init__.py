"""Memory images: what they are, and one parser per format.

>>> from immure.dumps import open_images
>>> for image in open_images("app.core"):
...     print(image.format, len(image.regions))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immure.dumps.dump import Image, Missing, Process, Reader, Region, Thread

if TYPE_CHECKING:
    from immure.dumps.limits import Limits
    from immure.dumps.open import open_image, open_images, open_reader
    from immure.dumps.unreadable import Unreadable

__all__ = [
    "Image",
    "Limits",
    "Missing",
    "Process",
    "Reader",
    "Region",
    "Thread",
    "Unreadable",
    "open_image",
    "open_images",
    "open_reader",
]

_LAZY = {
    "Limits": "limits",
    "Unreadable": "unreadable",
    "open_image": "open",
    "open_images": "open",
    "open_reader": "open",
}


def __getattr__(name: str) -> Any:
    """Import what opens images only when it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
