"""Where the images of a fleet are: objects, by fsspec, and files.

``s3://bucket/prefix`` (extra ``s3``), ``gs://…`` (gcsfs), ``az://…`` (adlfs); paths and ``file://``, which
all workers must see at the same place; ``memory://`` for one process. Credentials, region and endpoint come
from where the tools of the store have them, on the coordinator, which lists, and on each worker, which reads:
they are never sent.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from immure.dumps.dump import Reader
from immure.dumps.readers import FileReader, kind_of
from immure.errors import ImageError, ImmureError, UsageError
from immure.fleet.blocks import BlockReader
from immure.fleet.errors import StoreError
from immure.fleet.tasks import Place

#: What reads a scheme, and how to get it.
_PACKAGES: Final = {
    "s3": ("s3fs", "pip install 'immure[s3]'"), "s3a": ("s3fs", "pip install 'immure[s3]'"),
    "gs": ("gcsfs", "pip install gcsfs"), "gcs": ("gcsfs", "pip install gcsfs"),
    "az": ("adlfs", "pip install adlfs"), "abfs": ("adlfs", "pip install adlfs"),
    "abfss": ("adlfs", "pip install adlfs"),
    "memory": ("fsspec", "pip install 'immure[fleet]'"),
}  # fmt: skip
_URL: Final = re.compile(r"([a-z0-9]+)://([^\x00-\x20/:]+)(/[^\x00-\x1f]*)?")
_MARK: Final = "://"
#: What stores call the thing that changes with an object's bytes.
_MARKS: Final = (
    "ETag", "etag", "generation", "LastModified", "last_modified", "updated", "mtime"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Something below a target that cannot be scanned. ``skipped``: it is no file, so that is no gap."""

    url: str
    reason: str
    skipped: bool = False


def list_places(target: str) -> Iterator[Place | Unlisted]:
    """Everything in a target: one object or file, or all below a prefix or directory.

    Raises:
        UsageError: the target is none that a fleet can read, or a package is missing.
        StoreError: the store cannot be listed.
    """
    if target == "-" or target.startswith("pid:"):
        raise UsageError("cannot be read by other machines: scan it with immure scan", path=target)
    if target.startswith("file://"):
        target = target.removeprefix("file://")
    if _MARK in target:
        return _objects(target)
    return _files(target)


def open_place(place: Place, memory_bytes: int) -> Reader:
    """The bytes of a place; up to ``memory_bytes`` of them are kept, so that they are fetched once.

    Raises:
        StoreError: it cannot be opened, or its bytes are not those that were listed.
    """
    if _MARK not in place.url:
        try:
            reader = FileReader.open(place.url)
        except ImageError as error:
            raise StoreError(error.reason, path=place.url) from error
        return reader
    scheme, path = _parts(place.url)
    files = _file_system(scheme, place.url)

    def fetch(start: int, stop: int) -> bytes:
        with _explained(place.url):
            return bytes(files.cat_file(path, start=start, end=stop))

    return BlockReader(fetch, place.url, place.size, memory_bytes)


def check_unchanged(place: Place) -> None:
    """Hold a place against what was listed.

    Raises:
        StoreError: it is gone, or other bytes are there now.
    """
    if _MARK in place.url:
        scheme, path = _parts(place.url)
        files = _file_system(scheme, place.url)
        with _explained(place.url):
            info = files.info(path)
        now = info.get("size"), _stamp(info)
    else:
        now = _file_stamp(place.url)
    if now != (place.size, place.stamp):
        raise StoreError("was changed while it was scanned", path=place.url)


def _file_stamp(path: str) -> tuple[int, str]:
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path) from error
    return found.st_size, f"mtime={found.st_mtime_ns}"


def _files(top: str) -> Iterator[Place | Unlisted]:
    """As ``immure scan`` walks: depth first, by name, links not followed."""
    _file_stamp(top)
    pending = [top]
    while pending:
        path = pending.pop()
        try:
            found = os.stat(path) if path == top else os.lstat(path)
            if stat.S_ISDIR(found.st_mode):
                pending += [os.path.join(path, name) for name in sorted(os.listdir(path), reverse=True)]
            elif stat.S_ISREG(found.st_mode):
                yield Place(path, found.st_size, f"mtime={found.st_mtime_ns}")
            else:
                yield Unlisted(path, f"is {kind_of(found.st_mode)}: skipped", skipped=True)
        except (OSError, ValueError) as error:
            yield Unlisted(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}")


def _objects(url: str) -> Iterator[Place | Unlisted]:
    scheme, prefix = _parts(url)
    files = _file_system(scheme, url)
    with _explained(url):
        files.invalidate_cache()
        info = files.info(prefix) if files.isfile(prefix) else None
        is_there = info is not None or files.exists(prefix)
    if not is_there:
        raise StoreError("there is nothing there", path=url)
    if info is not None:
        yield _place(scheme, info)
        return
    walk = files.walk(prefix, detail=True, on_error="raise")
    while True:
        with _explained(url):
            level = next(walk, None)
        if level is None:
            return
        for name in sorted(level[2]):
            if name:  # the prefix itself may be an object, as some tools make for a directory
                yield _place(scheme, level[2][name])


def _place(scheme: str, info: Mapping[str, Any]) -> Place | Unlisted:
    url, size = f"{scheme}://{str(info['name']).lstrip('/')}", info.get("size")
    if not isinstance(size, int):
        return Unlisted(url, "the store does not say how long it is")
    return Place(url, size, _stamp(info))


def _stamp(info: Mapping[str, Any]) -> str | None:
    # the first only: of the others a listing has less than a look at one object
    return next((f"{mark}={info[mark]}" for mark in _MARKS if info.get(mark)), None)


def _parts(url: str) -> tuple[str, str]:
    parts = _URL.fullmatch(url)
    if parts is None or "::" in url or parts[1] not in _PACKAGES:
        known = ", ".join(f"{scheme}://" for scheme in _PACKAGES)
        raise UsageError(f"is no URL that a fleet can read; there are {known} and paths", path=url[:200])
    path = f"{parts[2]}{parts[3] or ''}".rstrip("/")
    return parts[1], f"/{path}" if parts[1] == "memory" else path


@lru_cache(maxsize=16)
def _driver(scheme: str, process: int) -> Any:
    del process  # drivers have threads, which a fork does not take along
    return import_module("fsspec").filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)


def _file_system(scheme: str, name: str) -> Any:
    package, remedy = _PACKAGES[scheme]
    try:
        return _driver(scheme, os.getpid())
    except ImportError as error:
        raise UsageError(f"needs the package {package}: {remedy}", path=name) from error
    except Exception as error:
        raise StoreError(_words(error), path=name) from error


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Drivers of stores raise what they like: all of it is this store's trouble, and none of ours."""
    try:
        yield
    except ImmureError:
        raise
    except Exception as error:
        raise StoreError(_words(error), path=path) from error


def _words(error: Exception) -> str:
    words = str(error).strip().partition("\n")[0][:300]
    return f"the store says: {words or type(error).__name__}"
