"""Container images: OCI layouts as directories, and OCI or ``docker save`` archives, as they come or
compressed.

Every file of it is an item, layers that no manifest names too; and what an upper layer deletes stays in the
layer below, where everybody finds it who has the image.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import ClassVar, Final

from immure.dumps import tar
from immure.dumps.dump import Reader
from immure.dumps.open import open_reader
from immure.dumps.readers import PiecesReader, SharedReader
from immure.errors import ImmureError
from immure.watching.errors import SourceError
from immure.watching.item import Given, Item, Source, Spotted, Trouble, Whereabouts
from immure.watching.sources.directory import Directory, open_file, stamp_of
from immure.watching.sources.layers import Images, Layer, hides, read_images
from immure.watching.sources.names import text_of, words_of
from immure.watching.unfold import LIMITS

_MOST_MANIFEST: Final = 4 << 20
_MOST_FILES: Final = 100_000
#: Members among which the manifest of an archive must be.
_MOST_SEEN: Final = 20_000


class ContainerImage(Source):
    """What a layout and an archive have in common: files by names."""

    kind: ClassVar[str] = "image"

    @abstractmethod
    def open(self, file: str) -> Reader:
        """The bytes of a file.

        Raises:
            SourceError: there is none of that name.
        """

    def whereabouts(self, found: Collection[Spotted]) -> Mapping[Spotted, Whereabouts]:
        """Of which image a file is which layer, and what becomes of what is in it in the layers above."""
        images = read_images(self._read)
        said: dict[Spotted, Whereabouts] = {}
        for place, inside in found:
            names = [f"layer {layer.number} of {layer.image}" for layer in images.of(place)]
            names += [f"configuration of {image}" for image, file in images.configs if file == place]
            fate = self._fate(images, place, inside)
            if names:
                said[place, inside] = Whereabouts(place, ", ".join([*names[:8], *([fate] if fate else [])]))
        return said

    def _fate(self, images: Images, place: str, inside: str) -> str:
        """What becomes of a file of a layer in the layers above, in words; empty if it stays in any image."""
        path = inside.removeprefix("!").partition("!")[0]
        fates = {self._hidden(images, layer, path) for layer in images.of(place)}
        return min(fates) if fates and "" not in fates else ""

    def _hidden(self, images: Images, layer: Layer, path: str) -> str:
        for above in images.above(layer):
            try:
                if any(hides(member, path) for member in self._members(above.file)):
                    return f"deleted or covered by layer {above.number}"
            except ImmureError:
                continue  # what it hides is not known, and changes nothing in what is found
        return ""

    def _members(self, file: str) -> Iterator[str]:
        """Names of the members of a layer, directories left out."""
        for opened in open_reader("", self.open(file), limits=LIMITS):
            if hasattr(opened, "close"):
                opened.close()
            yield opened.path.removeprefix("!").partition("!")[0]

    def _read(self, file: str) -> bytes | None:
        try:
            reader = self.open(file)
        except SourceError:
            return None
        try:
            data = reader.read(0, _MOST_MANIFEST + 1)
            return data if len(data) <= _MOST_MANIFEST else None
        finally:
            reader.close()


class Layout(ContainerImage):
    """An OCI layout: a directory with ``oci-layout``, ``index.json`` and ``blobs/``."""

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)
        self.name = text_of(self._path)
        self.covers = frozenset({os.path.join(self._path, "blobs")})

    @staticmethod
    def detect(path: str) -> bool:
        """Whether a directory is one."""
        return all(os.path.isfile(os.path.join(path, name)) for name in ("oci-layout", "index.json"))

    def items(self) -> Iterator[Given]:
        """What is below ``blobs``; the other files are found by who goes through the directory."""
        top = os.path.join(self._path, "blobs")
        if os.path.isdir(top) and not os.path.islink(top):
            for given in Directory(top).items():
                yield replace(given, place=f"blobs/{given.place}")

    def open(self, file: str) -> Reader:
        """See :meth:`ContainerImage.open`. Names out of manifests lead nowhere but below the layout."""
        if not re.fullmatch(r"index\.json|manifest\.json|blobs/[A-Za-z0-9]+/[A-Za-z0-9]+", file):
            raise SourceError("is no file of an image layout")
        return open_file(os.path.join(self._path, file))


class Archive(ContainerImage):
    """An uncompressed archive of ``docker save`` or of an OCI layout."""

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path)
        self.name = text_of(self._path)
        self.covers = frozenset({self._path})
        self._entries: dict[str, tar.Entry] | None = None

    @staticmethod
    def detect(path: str) -> bool:
        """Whether a file is one: a tar archive with a manifest among its first members."""
        try:
            with closing(open_file(path)) as reader:
                if not tar.detect(reader.read(0, tar.BLOCK)):
                    return False
                names = {entry.name for entry in islice(tar.walk(path, reader), _MOST_SEEN)}
                return bool(names & {"manifest.json", "oci-layout"})
        except ImmureError:
            return False

    def items(self) -> Iterator[Given]:
        """The files of the archive in its order."""
        try:
            stamp = stamp_of(os.stat(self._path))
        except OSError as error:
            raise SourceError(words_of(error), path=self.name) from error
        given: set[str] = set()
        with closing(open_file(self._path)) as reader:
            for number, entry in enumerate(tar.walk(self.name, reader)):
                if number >= LIMITS.max_members:
                    yield Trouble("", f"holds more than {number} members: the rest is not searched")
                    return
                name = f"{entry.name} ({entry.offset:#x})" if entry.name in given else entry.name
                given.add(entry.name)
                if entry.problem is None:
                    own = f"{stamp}:{entry.offset}"
                    opened = partial(self._opened, entry)
                    yield Item(name, entry.size, opened, stamp=own, still=self._still(stamp))
                elif not entry.skipped:
                    yield Trouble(name, entry.problem)

    def _still(self, stamp: str) -> Callable[[], bool]:
        def still() -> bool:
            try:
                return stamp_of(os.stat(self._path)) == stamp
            except OSError:
                return False

        return still

    def _listed(self) -> dict[str, tar.Entry]:
        """Members by name; of several of one name the last one counts, as for who unpacks it."""
        if self._entries is None:
            with closing(open_file(self._path)) as reader:
                entries = islice(tar.walk(self.name, reader), _MOST_FILES)
                self._entries = {entry.name: entry for entry in entries}
        return self._entries

    def open(self, file: str) -> Reader:
        """See :meth:`ContainerImage.open`."""
        entry = self._listed().get(file)
        if entry is None or entry.problem is not None:
            raise SourceError("is no file of this archive")
        return self._opened(entry)

    def _opened(self, entry: tar.Entry) -> Reader:
        shared = SharedReader(open_file(self._path))
        held = max(0, min(entry.stored, (shared.reader.size or 0) - entry.offset))
        fault = "the archive ends before the end of this member" if held < entry.stored else None
        try:
            return PiecesReader(shared, entry.pieces if fault is None else [(0, entry.offset, held)],
                                entry.size if fault is None else held, fault)  # fmt: skip
        finally:
            shared.release()
