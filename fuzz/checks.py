"""What every image must hold, however broken its bytes were."""

from __future__ import annotations

from immure.dumps import Image, Reader, open_reader
from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader

LIMITS = Limits(max_apparent_bytes=64 << 20, max_stored_bytes=64 << 20, max_regions=1 << 16)


def check_images(data: bytes) -> None:
    """Open whatever ``data`` holds, and read it through."""
    for opened in open_reader("fuzz", BytesReader(data), limits=LIMITS):
        if isinstance(opened, Image):
            with opened as image:
                image.settle()
                check_image(image)
        else:
            assert opened.reason


def check_image(image: Image) -> None:
    """Regions are sorted, do not overlap, and cover; every byte that is promised can be read."""
    position = 0
    for region in image.regions:
        assert region.offset == position, (region, position)
        assert region.length > 0, region
        assert region.name.isprintable(), region
        position = region.end
    assert position == image.reader.size, (position, image.reader.size)
    for missing in image.missing:
        assert missing.length >= 0, missing
        assert missing.offset is None or 0 <= missing.offset < 1 << 63, missing
    for warning in image.warnings:
        assert warning.isprintable(), warning
    assert read_through(image.reader) == position


def read_through(reader: Reader) -> int:
    """How many bytes can be read, going by the extents."""
    buffer = memoryview(bytearray(1 << 20))
    for start, stop in reader.extents(0, reader.size or 0):
        assert 0 <= start < stop <= (reader.size or 0)
        while start < stop:
            count = reader.read_into(start, buffer[: min(len(buffer), stop - start)])
            if count == 0:
                return start
            start += count
    return reader.size or 0
