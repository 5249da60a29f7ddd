"""Where released dumps go: one file for each kind of destination.

>>> open_destination("ftp://files.example/dumps")
Traceback (most recent call last):
...
immure.errors.UsageError: ftp://files.example/dumps: is not a destination: file://…, s3://…, sftp://… are
"""

from __future__ import annotations

import os

from immure.transfer.destinations.interface import Destination, Placed, Stage
from immure.transfer.places import parse_place

__all__ = ["Destination", "Placed", "Stage", "open_destination"]


def open_destination(target: str) -> Destination:
    """The destination that a URL, or the path of a directory, names. Close it.

    Raises:
        UsageError: this names no destination.
        TransferError: there is none, or what it needs is not installed.
    """
    if "://" not in target:
        from immure.transfer.destinations.directory import DirectoryDestination

        return DirectoryDestination(os.path.abspath(target))
    place = parse_place(target)
    if place.scheme == "file":
        from immure.transfer.destinations.directory import DirectoryDestination

        return DirectoryDestination(place.path or "/")
    if place.scheme == "s3":
        from immure.transfer.destinations.s3 import S3Destination

        return S3Destination(place)
    from immure.transfer.destinations.sftp import SftpDestination

    return SftpDestination(place)
