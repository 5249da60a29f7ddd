"""Which format an image has, by its first bytes; names and suffixes of files do not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from immure.dumps import avml, elfcore, hprof, lime, minidump, raw
from immure.dumps.dump import Image, Missing, Reader
from immure.dumps.limits import Limits
from immure.errors import ImageError

#: As many bytes as any ``detect`` function wants to see.
HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Format:
    """A format of images.

    Attributes:
        name: as :attr:`Image.format` has it.
        detect: tells by the first bytes.
        parse: makes the image; :class:`ImageError` if its header cannot be used.
        tables_first: whether all tables stand before the memory, so that a stream can be parsed before its
        end.
    """

    name: str
    detect: Callable[[bytes], bool]
    parse: Callable[[str, Reader, Limits], Image]
    tables_first: bool = False


FORMATS: tuple[Format, ...] = (
    Format("elf-core", elfcore.detect, elfcore.parse_elf_core, tables_first=True),
    Format("minidump", minidump.detect, minidump.parse_minidump),
    Format("hprof", hprof.detect, hprof.parse_hprof),
    Format("lime", lime.detect, lime.parse_lime),
    Format("avml", avml.detect, avml.parse_avml),
    Format("raw", raw.detect, raw.parse_raw),
)


def format_of(head: bytes) -> Format:
    """The format of an image that begins with ``head``; ``raw`` if it is none that we know."""
    return next(known for known in FORMATS if known.detect(head))


def parse_image(path: str, reader: Reader, limits: Limits, missing: tuple[Missing, ...] = ()) -> Image:
    """The image that ``reader`` holds, whatever its format. ``missing`` is what the caller knows to be
    missing.

    A header that cannot be used is no reason not to search the bytes: they are then ``raw``, with a warning.
    """
    found = format_of(reader.read(0, HEAD_BYTES))
    if reader.size is not None:
        return _parse(found, path, reader, limits, missing)
    unfinished = Image(path, found.name, reader, ())
    image = _parse(found, path, reader, limits, missing) if found.tables_first else unfinished

    def settle(image: Image) -> None:
        reader.wait()
        final = _parse(found, path, reader, limits, missing)
        image.format, image.regions, image.missing = final.format, final.regions, final.missing
        image.process, image.warnings = final.process, final.warnings
        image.word_size, image.byte_order = final.word_size, final.byte_order

    image._settle = settle
    return image


def _parse(found: Format, path: str, reader: Reader, limits: Limits, missing: tuple[Missing, ...]) -> Image:
    try:
        image = found.parse(path, reader, limits)
    except ImageError as error:
        image = raw.parse_raw(path, reader, limits)
        image.warnings += (f"{error}: searched as raw bytes, not as {found.name}",)
    image.missing += reader.faults() + missing
    return image
