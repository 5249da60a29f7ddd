"""``file+unsafe:`` a private key in a file and in this process's memory, and called so wherever it is named.

For trials and drills: a crash of the process has the key in it, and ``immure drill`` must see that it has.
"""

from __future__ import annotations

from typing import Final

from immure.custody.file_signer import FileSigner, open_file
from immure.custody.signer import Ask

WARNING: Final = (
    "UNSAFE: the private key is in a file and in this process's memory; every dump of it has the key. "
    "For trials only; keep keys that count in a key holder (keyholder:) or on a PKCS#11 token"
)


class UnsafeFileSigner(FileSigner):
    """As :class:`FileSigner`, and says what it is."""

    warning = WARNING


def open_unsafe(uri: str, pin: str | None = None, ask: Ask | None = None) -> FileSigner:
    """The private key in a file; arguments and errors as :func:`~immure.custody.signer.open_signer`."""
    opened = open_file(f"file:{uri.partition(':')[2]}", pin, ask)
    return UnsafeFileSigner(
        f"file+unsafe:{opened.uri.partition(':')[2]}", opened.public, opened.algorithm, opened._key
    )
