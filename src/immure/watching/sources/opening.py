"""From what a user names to a source.

>>> open_source("/etc").kind
'directory'
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Final

from immure.watching.errors import SourceError
from immure.watching.item import Source
from immure.watching.sources.directory import Directory
from immure.watching.sources.git import Git
from immure.watching.sources.git_file import NAME, linked
from immure.watching.sources.images import Archive, Layout

#: Names of files that are asked whether they are container images.
_ARCHIVES: Final = (".tar", ".oci")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://")


def open_source(target: str, *, leave_out: Collection[str] = ()) -> Source:
    """The source for a path or a URL; of a directory without the files of these absolute paths.

    Raises:
        SourceError: there is none of that name, or a package is missing that reads it.
    """
    if _URL.match(target):
        from immure.watching.sources.objects import Objects

        return Objects(target)
    if not Directory.detect(target):
        raise SourceError("does not exist", path=target)
    return Directory(target, inner=_within, leave_out=leave_out)


def _within(path: str) -> Source | None:
    """What a directory or file is besides."""
    if os.path.isdir(path):
        if Git.detect(path):
            return Git(path)
        return Layout(path) if Layout.detect(path) else None
    if os.path.basename(path) == NAME:
        return linked(path)
    return Archive(path) if path.endswith(_ARCHIVES) and Archive.detect(path) else None
