"""Feeds broken mails, crash reports, ar archives and texts with base64 to immure.watching.unfold."""

from __future__ import annotations

import base64
import gzip
import json
from email.message import EmailMessage

from driver import run

from immure.dumps.limits import Limits
from immure.dumps.readers import BytesReader
from immure.watching.unfold import Budget, Leaf, unfold

#: Small, so that a run gets through many inputs; and what is unbounded shows.
LIMITS = Limits(max_nesting=3, max_stored_bytes=16 << 20, max_apparent_bytes=1 << 26, max_members=100)


def check(data: bytes) -> None:
    """Everything that unfolds can be read, and there is an end of it."""
    images = 0
    for leaf in unfold(BytesReader(data), LIMITS, Budget(images=500, bytes=1 << 28)):
        if isinstance(leaf, Leaf):
            images += 1
            with leaf.image as image:
                image.settle()
                size = image.reader.size or 0
                assert len(image.reader.read(0, min(size, 1 << 16))) == min(size, 1 << 16)
        else:
            assert leaf.reason
    assert images <= 500


def _mail(*attachments: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = "a@example", "x", "today"
    message.set_content("text ä\n", cte="quoted-printable")
    for data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename="a.bin")
    return message.as_bytes()


def _ar() -> bytes:
    table = b"a_long_name_of_a_member.o/\n"
    out = b"!<arch>\n"
    for name, data in (
        ("//", table),
        ("/0", b"one"),
        ("#1/8", b"bsd.o\0\0\0two"),
        ("x.gz/", gzip.compress(b"y")),
    ):
        out += (
            f"{name:16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode()
            + data
            + b"\n" * (len(data) % 2)
        )
    return out


def _apport() -> bytes:
    packed = gzip.compress(b"\x7fELF" + bytes(3000))
    lines = (b" " + base64.b64encode(packed[at : at + 20]) + b"\n" for at in range(0, len(packed), 20))
    return b"ProblemType: Crash\nArchitecture: amd64\nCoreDump: base64\n" + b"".join(lines) + b"Uname: x\n"


def _json() -> bytes:
    long, short = base64.b64encode(bytes(range(256)) * 20).decode(), base64.b64encode(bytes(60)).decode()
    return json.dumps({"a": long, "b": [short, short], "c": long.replace("/", "\\/")}, indent=1).encode()


if __name__ == "__main__":
    mail = _mail(b"\0one", gzip.compress(b"two"))
    run(
        check, [mail, _mail(mail), b"From a b\n" + mail + b"\n\nFrom c d\n" + mail, _ar(), _apport(), _json()]
    )
