"""What stands in which layer of a container image, by its manifests: OCI layouts and archives of ``docker
save``.

Sources: OCI Image Format Specification 1.1 (layout, index, manifest, layer: whiteouts); Docker's image
specification 1.2 for ``manifest.json``. What they say is used to name places; what is searched does not
depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from immure.dumps.tables import printable

#: Reads a small file of an image by its name; None if there is none, or it is too large.
ReadFile = Callable[[str], bytes | None]

_MOST_MANIFESTS: Final = 256
_MOST_LAYERS: Final = 1_024
_MOST_DEPTH: Final = 4
WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: the image's name, its number from the bottom, from 1, and the file that it is."""

    image: str
    number: int
    file: str


@dataclass(frozen=True, slots=True)
class Images:
    """All layers of all images, and files that configure them."""

    layers: tuple[Layer, ...] = ()
    configs: tuple[tuple[str, str], ...] = ()

    def of(self, file: str) -> list[Layer]:
        """The layers that a file is: one of each image that has it."""
        return [layer for layer in self.layers if layer.file == file]

    def above(self, layer: Layer) -> list[Layer]:
        """The layers over this one, the nearest first."""
        return [one for one in self.layers if one.image == layer.image and one.number > layer.number]


def read_images(read: ReadFile) -> Images:
    """The images of a layout or archive; what cannot be understood of it is left out."""
    layers: list[Layer] = []
    configs: list[tuple[str, str]] = []
    for name, config, files in (*_docker(read), *_oci(read, "index.json", "", 0)):
        known = {(layer.image, layer.file) for layer in layers}
        configs.append((name, config))
        layers += [
            Layer(name, number, file)
            for number, file in enumerate(files[:_MOST_LAYERS], 1)
            if (name, file) not in known
        ]
    return Images(tuple(layers), tuple(dict.fromkeys(configs)))


_Image = tuple[str, str, list[str]]


def _docker(read: ReadFile) -> Iterator[_Image]:
    for entry in _list(_json(read("manifest.json")))[:_MOST_MANIFESTS]:
        if isinstance(entry, dict):
            tags = [tag for tag in _list(entry.get("RepoTags")) if isinstance(tag, str)]
            config = entry.get("Config")
            files = [name for name in _list(entry.get("Layers")) if isinstance(name, str)]
            name = printable((tags or [str(config)])[0].encode("utf-8", "replace"), 256)
            yield name, config if isinstance(config, str) else "", files


def _oci(read: ReadFile, file: str, name: str, depth: int) -> Iterator[_Image]:
    document = _json(read(file))
    if not isinstance(document, dict) or depth > _MOST_DEPTH:
        return
    config, layers = _blob(document.get("config")), [_blob(one) for one in _list(document.get("layers"))]
    if config or any(layers):
        yield name or file, config or "", [layer for layer in layers if layer]
    for entry in _list(document.get("manifests"))[:_MOST_MANIFESTS]:
        blob = _blob(entry)
        if blob is not None:
            yield from _oci(read, blob, _name(entry) or name, depth + 1)


def _name(descriptor: dict[str, Any]) -> str:
    notes = descriptor.get("annotations")
    notes = notes if isinstance(notes, dict) else {}
    found = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name") or ""
    return printable(str(found).encode("utf-8", "replace"), 256)


def _blob(descriptor: Any) -> str | None:
    """The file of a descriptor's digest; None if it names none."""
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    kind, _, digits = digest.partition(":") if isinstance(digest, str) else ("", "", "")
    return f"blobs/{kind}/{digits}" if kind.isalnum() and digits.isalnum() else None


def _json(data: bytes | None) -> Any:
    try:
        return json.loads(data) if data is not None else None
    except (ValueError, RecursionError):
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def hides(member: str, path: str) -> bool:
    """Whether a member of a layer takes away, or covers, ``path`` of a layer below."""
    member, path = member.removeprefix("./").lstrip("/"), path.removeprefix("./").lstrip("/")
    directory, _, name = member.rpartition("/")
    inside = f"{directory}/" if directory else ""
    if name == OPAQUE:
        return path.startswith(inside)
    if name.startswith(WHITEOUT):
        gone = inside + name.removeprefix(WHITEOUT)
        return path == gone or path.startswith(f"{gone}/")
    return member == path
