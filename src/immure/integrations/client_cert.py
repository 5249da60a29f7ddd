"""The certificate of a client whose TLS connection ended at a proxy: ``Client-Cert`` (RFC 9440, section 2.2).

>>> parse_client_cert([":3q0=:"]).hex()
'dead'
>>> parse_client_cert([":3q0=:", ":3q0=:"]) is None
True

Whoever can set this field can pretend to have any certificate. The proxy must remove it from what clients
send, and nobody may get around the proxy.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Final

#: Characters of the longest certificate that is taken.
_MOST: Final = 16 << 10


def parse_client_cert(values: Sequence[str]) -> bytes | None:
    """The certificate in DER, of which nothing is checked; None if there is none, or not just one.

    Args:
        values: every value of the field.
    """
    if len(values) != 1:
        return None
    text = values[0].strip(" \t")
    if not 4 <= len(text) <= _MOST or not text.isascii() or (text[0], text[-1]) != (":", ":"):
        return None
    try:
        return binascii.a2b_base64(text[1:-1], strict_mode=True) or None
    except binascii.Error:
        return None
