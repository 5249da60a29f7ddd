"""Timestamps as authorities write them, in the order that DER asks for.

The certificates beside a signature (CMS, RFC 5652, section 5.1) are a SET, which DER sorts. Many authorities,
OpenSSL among them, write them as they come, and the library refuses that. Nothing signed is in the order: so
it is put right before the answer is read. Lengths stay as they are.
"""

from __future__ import annotations

from typing import Final

from immure.errors import KeyFormatError
from immure.keymaterial.der import SEQUENCE, Der

_TAGGED: Final = 0xA0
#: Certificates of the longest chain.
_MOST: Final = 100


def in_order(answer: bytes) -> bytes:
    """A ``TimeStampResp`` (RFC 3161, section 2.4.2) with its certificates sorted; other bytes as they are."""
    try:
        found = _certificates(answer)
        return answer if found is None else _sorted(answer, found)
    except KeyFormatError:  # then the library says what is wrong with it
        return answer


def _sorted(answer: bytes, found: Der) -> bytes:
    start = found.at
    pieces: list[bytes] = []
    while not found.done and len(pieces) < _MOST:
        begin = found.at
        found.skip()
        pieces.append(answer[begin : found.at])
    return answer[:start] + b"".join(sorted(pieces)) + answer[found.at :]


def _certificates(answer: bytes) -> Der | None:
    """A cursor over them; None if there are none."""
    response = Der(answer).enter(SEQUENCE)
    response.skip()  # the status
    if response.done:
        return None
    content = response.enter(SEQUENCE)
    content.skip()  # that this is signed data
    signed = content.enter(_TAGGED).enter(SEQUENCE)
    for _ in range(3):  # version, digest algorithms, what was signed
        signed.skip()
    return signed.enter(_TAGGED) if signed.next_tag == _TAGGED else None
