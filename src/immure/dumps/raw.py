"""Bytes of no known format: searched all the same, and called what they are.

What holds its memory compressed in a form that we cannot open is *incomplete* as raw bytes, and says so:
silence about a 7-Zip archive would look like a clean dump.
"""

from __future__ import annotations

from immure.dumps.dump import Image, Missing, Reader, Region
from immure.dumps.limits import Limits

#: first bytes of formats that keep bytes otherwise than they stood in memory
_PACKED = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"LZIP": "an lzip stream",
    b"\x89LZO\0\r\n": "an lzop stream",
    b"\x02\x21\x4c\x18": "an lz4 stream of the legacy format",
    b"MSCF\0\0\0\0": "a cabinet archive",
    b"KDUMP   ": "a compressed kernel dump (kdump)",
    b"makedumpfile\0": "a flattened kernel dump (makedumpfile)",
    b"QFI\xfb": "a QCOW2 disk image",
    b"EVF\x09\x0d\x0a\xff\0": "an EWF disk image",
    b"hibr": "a Windows hibernation file",
    b"HIBR": "a Windows hibernation file",
}
#: formats whose memory stands in the file as it is, so that only names and addresses are lost
_PLAIN = {
    b"PAGEDU64": "a Windows kernel dump (64 bit)",
    b"PAGEDUMP": "a Windows kernel dump (32 bit)",
    b"\xcf\xfa\xed\xfe": "a Mach-O file (64 bit)",
    b"!<arch>\n": "an ar archive",
    b"070701": "a cpio archive",
}


def detect(head: bytes) -> bool:
    """Anything will do."""
    return True


def parse_raw(path: str, reader: Reader, limits: Limits | None = None) -> Image:
    """One region with all the bytes; while a stream's end is unknown, no region yet."""
    size = reader.size or 0
    image = Image(path, "raw", reader, (Region(0, size, name="raw bytes", kind="data"),) if size else ())
    head = reader.read(0, 16)
    packed, plain = _called(head, _PACKED), _called(head, _PLAIN)
    if packed:
        image.missing = (Missing(0, f"is {packed}, which is not opened: searched only as it is", 0),)
    if reader.size == 0:
        image.warnings = (
            f"{path}: is empty: if a dump should be here, it was not written (is a disk full?)",
        )
    if plain:
        image.warnings = (f"{path}: is {plain}: searched as raw bytes, without addresses",)
    return image


def _called(head: bytes, names: dict[bytes, str]) -> str | None:
    return next((name for magic, name in names.items() if head.startswith(magic)), None)
