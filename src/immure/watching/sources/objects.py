"""Object stores, by fsspec: ``s3://bucket/prefix`` (extra ``s3``), ``gs://…`` (gcsfs), ``az://…`` (adlfs).

Credentials, region and endpoint come from where the tools of the store have them (``AWS_ENDPOINT_URL``,
profiles, the machine's role). Objects are streamed, each once, through a spool that keeps nothing readable on
a disk. Only the newest version of an object is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, Final

from immure.dumps.dump import Reader
from immure.dumps.limits import GIB, Limits
from immure.dumps.readers import BytesReader
from immure.dumps.spool import SpoolReader
from immure.errors import ImmureError
from immure.watching.batch import SMALL
from immure.watching.errors import SourceError
from immure.watching.item import Given, Item, Source, Trouble
from immure.watching.sources.names import text_of

#: What reads a scheme, and how to get it.
_PACKAGES: Final = {
    "s3": ("s3fs", "pip install 'immure[s3]'"), "s3a": ("s3fs", "pip install 'immure[s3]'"),
    "gs": ("gcsfs", "pip install gcsfs"), "gcs": ("gcsfs", "pip install gcsfs"),
    "az": ("adlfs", "pip install adlfs"), "abfs": ("adlfs", "pip install adlfs"),
    "abfss": ("adlfs", "pip install adlfs"),
}  # fmt: skip
_URL: Final = re.compile(r"([a-z0-9]+)://([^\x00-\x20/:]+)(/[^\x00-\x1f]*)?")
_STEP: Final = 4 << 20
_LIMITS: Final = Limits(max_stored_bytes=256 * GIB)
#: What stores call the thing that changes with an object's bytes.
_MARKS: Final = (
    "ETag",
    "etag",
    "generation",
    "VersionId",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
)


class Objects(Source):
    """The objects below a URL.

    Args:
        url: which.
        options: for the file system; by default everything comes from the environment.

    Raises:
        SourceError: the URL is none that is known, or a package is missing.
    """

    kind: ClassVar[str] = "objects"

    def __init__(self, url: str, **options: Any) -> None:
        parts = _URL.fullmatch(url)
        if parts is None or "::" in url or parts[1] not in _PACKAGES:
            known = ", ".join(f"{scheme}://" for scheme in _PACKAGES)
            raise SourceError(f"is no URL of an object store; there are {known}", path=text_of(url))
        self.name = text_of(url.rstrip("/"))
        self._prefix = f"{parts[2]}{parts[3] or ''}".rstrip("/")
        self._files: Any = _file_system(parts[1], self.name, options)

    def items(self) -> Iterator[Given]:
        """Prefix by prefix, as a tree."""
        with _explained(self.name):
            found = self._files.info(self._prefix) if self._files.isfile(self._prefix) else None
        if found is not None:
            yield self._item(found)
            return
        walk = self._files.walk(self._prefix, detail=True, on_error="raise")
        while True:
            with _explained(self.name):
                level = next(walk, None)
            if level is None:
                return
            for name in sorted(level[2]):
                if name:  # the prefix itself may be an object, as some tools make for a directory
                    yield self._item(level[2][name])

    def _item(self, info: Mapping[str, Any]) -> Given:
        name, size = str(info["name"]), info.get("size")
        place = text_of(name.removeprefix(self._prefix).lstrip("/")) or text_of(name.rpartition("/")[2])
        if not isinstance(size, int):
            return Trouble(place, "the store does not say how long it is")
        stamp = _stamp(info)
        # a large one is named by what the store says of it, so that it is transferred once; not so a small
        # one
        content = f"object:{self.name}/{place}:{stamp}" if stamp is not None and size > SMALL else None
        return Item(
            place, size, partial(self._open, name, size), content=content, stamp=stamp,
            still=partial(self._is_still, name, stamp),
        )  # fmt: skip

    def _open(self, name: str, size: int) -> Reader:
        if size <= SMALL:
            with _explained(name):
                return BytesReader(self._files.cat_file(name))
        return SpoolReader(self._pieces(name), name, _LIMITS)

    def _pieces(self, name: str) -> Iterator[bytes]:
        with _explained(name):
            stream = self._files.open(name, "rb", block_size=_STEP, cache_type="readahead")
        with stream:
            while True:
                with _explained(name):
                    piece = stream.read(_STEP)
                if not piece:
                    return
                yield bytes(piece)

    def _is_still(self, name: str, stamp: str | None) -> bool:
        try:
            with _explained(name):
                self._files.invalidate_cache()
                return _stamp(self._files.info(name)) == stamp
        except SourceError:
            return False


def _stamp(info: Mapping[str, Any]) -> str | None:
    marks = [f"{mark}={info[mark]}" for mark in _MARKS if info.get(mark)]
    return text_of(" ".join([*marks, f"size={info.get('size')}"])) if marks else None


def _file_system(scheme: str, name: str, options: Mapping[str, Any]) -> Any:
    package, remedy = _PACKAGES[scheme]
    try:
        fsspec: Any = import_module("fsspec")
    except ImportError as error:
        raise SourceError(f"needs the package {package}: {remedy}", path=name) from error
    with _explained(name, f"needs the package {package}: {remedy}"):
        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **options)


@contextmanager
def _explained(path: str, missing: str = "a package is missing") -> Iterator[None]:
    """Drivers of stores raise what they like: all of it is this store's trouble, and none of ours."""
    try:
        yield
    except ImmureError:
        raise
    except ImportError as error:
        raise SourceError(missing, path=path) from error
    except Exception as error:
        words = str(error).strip().partition("\n")[0][:300]
        raise SourceError(
            f"the store says: {text_of(words or type(error).__name__)}", path=text_of(path)
        ) from error
