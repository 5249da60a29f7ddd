"""Feeds broken tar and zip archives to immure.dumps.archives."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

from checks import check_images
from driver import run
from seeds import images

MEMBERS = [
    ("app.core", images("elf")[0]),
    ("d/" * 80 + "x", b"text" * 99),
    ("z.gz", gzip.compress(b"inside")),
]


def _tar(form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in MEMBERS:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _sparse_tar() -> bytes:
    """A member of type S, with two pieces in its header and one in an extension block."""
    pieces = b"".join(b"%011o\0%011o\0" % pair for pair in ((0, 512), (4096, 512)))
    header = bytearray(512)
    header[0:1], header[124:136], header[156:157], header[257:265] = (
        b"s",
        b"%011o\0" % 1536,
        b"S",
        b"ustar  \0",
    )
    header[386 : 386 + len(pieces)] = pieces
    header[482], header[483:495] = 1, b"%011o\0" % 20000
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    block = (b"%011o\0%011o\0" % (8192, 512)).ljust(512, b"\0")
    return bytes(header) + block + b"x" * 1536 + bytes(1024)


def _zip(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in MEMBERS:
            archive.writestr(name, data)
    return out.getvalue()


if __name__ == "__main__":
    tars = [_tar(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    zips = [_zip(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)]
    run(check_images, [*tars, _sparse_tar(), *zips])
