"""Messages between a front end and the key holder: frames of bounded length, answered by id, in any order.

>>> frames = Frames()
>>> list(frames.feed(encode(Op.SIGN, 7, sign_body("k1", "token", b"e30.e30"))))
[Frame(op=<Op.SIGN: 1>, id=7, body=b'\\x02k1\\x05tokene30.e30')]

A frame is its length (4 bytes, of what follows), a version (1), an operation (1), an id (8) and a body;
numbers are big-endian. The answer has the same id, and says OK (body: a signature, or JSON) or ERROR (JSON
with code and reason). Descriptors of files travel beside a frame (``SCM_RIGHTS``).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from immure.custody.keyholder.errors import HolderError, HolderRequestError, error_from

VERSION: Final = 1
#: Bytes of the longest frame, of the longest message that is signed, and of the longest kid.
MOST_FRAME: Final = 1 << 20
MOST_MESSAGE: Final = 64 << 10
MOST_NAME: Final = 128
_HEAD: Final = struct.Struct(">IBBQ")
_REST: Final = _HEAD.size - 4


class Op(IntEnum):
    """What is asked, or what kind of answer this is."""

    SIGN = 1
    LIST = 3
    STATUS = 4
    GENERATE = 5
    SUCCEED = 6
    SET_STATE = 7
    IMPORT = 8
    BACKUP = 9
    SKETCHES = 10
    OK = 128
    ERROR = 129


_OPS: Final = {int(op): op for op in Op}


class Frame(NamedTuple):
    """One message."""

    op: Op
    id: int
    body: bytes


class Frames:
    """Cuts a stream of bytes into frames; keeps no more than one unfinished frame."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now.

        Raises:
            HolderRequestError: too long, of another version, or no operation that there is. The stream is of
                no use after that.
        """
        rest = self._rest
        rest += data
        at, size = 0, len(rest)
        while size - at >= _HEAD.size:
            length, version, op, number = _HEAD.unpack_from(rest, at)
            if not _REST <= length <= MOST_FRAME or version != VERSION or op not in _OPS:
                raise HolderRequestError(f"a frame of version {version}, operation {op}, {length} bytes")
            if size - at < 4 + length:
                break
            yield Frame(_OPS[op], number, bytes(rest[at + _HEAD.size : at + 4 + length]))
            at += 4 + length
        del rest[:at]


def encode(op: Op, number: int, body: bytes) -> bytes:
    """A frame; raises HolderRequestError if the body is too long for one."""
    if len(body) > MOST_FRAME - _REST:
        raise HolderRequestError(f"{len(body)} bytes are too many for a message")
    return _HEAD.pack(len(body) + _REST, VERSION, op, number) + body


def sign_body(kid: str, purpose: str, message: bytes) -> bytes:
    """What SIGN asks: kid, purpose, and what is to be signed; raises HolderRequestError."""
    if len(message) > MOST_MESSAGE:
        raise HolderRequestError(f"{len(message)} bytes to sign; {MOST_MESSAGE} are the most")
    return _names(kid, purpose) + message


@lru_cache(256)
def _names(kid: str, purpose: str) -> bytes:
    parts = []
    for text in (kid, purpose):
        name = text.encode("utf-8", "replace")
        if not 0 < len(name) <= MOST_NAME:
            raise HolderRequestError("a name is empty, or too long")
        parts += [bytes([len(name)]), name]
    return b"".join(parts)


def parse_sign_body(body: bytes) -> tuple[str, str, bytes]:
    """Kid, purpose and message; raises HolderRequestError."""
    try:
        end = 1 + body[0]
        last = end + 1 + body[end]
        kid, purpose = body[1:end].decode("utf-8"), body[end + 1 : last].decode("utf-8")
    except (IndexError, UnicodeDecodeError):
        raise HolderRequestError("a request to sign is malformed") from None
    if not kid or not purpose or last > len(body) or len(body) - last > MOST_MESSAGE:
        raise HolderRequestError("a request to sign is malformed")
    return kid, purpose, body[last:]


def to_json(value: Any) -> bytes:
    """JSON without blanks, names in order: one text for each value."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def from_json(body: bytes) -> dict[str, Any]:
    """The JSON object in a body (none: an empty one); raises HolderRequestError."""
    try:
        # of bytes json.loads would guess another encoding, which the holder cannot load any more, and die
        value = json.loads(body.decode("utf-8")) if body else {}
    except (ValueError, RecursionError):
        raise HolderRequestError("a message is not JSON") from None
    if type(value) is not dict:
        raise HolderRequestError("a message is no JSON object")
    return value


def encode_error(number: int, error: HolderError) -> bytes:
    """The answer that says no."""
    return encode(Op.ERROR, number, to_json({"code": error.code, "reason": error.reason[:2000]}))


def decode_error(body: bytes, path: str) -> HolderError:
    """The error in such an answer, about the key file ``path``."""
    said = from_json(body)
    code, reason = said.get("code"), said.get("reason")
    if not isinstance(code, str) or not isinstance(reason, str):
        return HolderRequestError("the holder's answer is malformed", path=path)
    return error_from(code, reason, path)
