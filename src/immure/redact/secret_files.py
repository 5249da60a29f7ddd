"""Files whose contents are to be erased from a dump: private keys, symmetric keys, passwords."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from immure.errors import ImmureError, UsageError
from immure.keymaterial.private import PrivateKey
from immure.keymaterial.structures.hits import PrivateHit
from immure.keymaterial.structures.text_keys import pem_block
from immure.redact.options import NamedSecret
from immure.secret import Secret

MOST_BYTES: Final = 1 << 20
#: A shorter secret stands in any image by chance.
LEAST_BYTES: Final = 6
_PEM: Final = b"-----BEGIN "


def read_secret_file(path: str) -> list[PrivateKey] | NamedSecret:
    """What a file holds: private keys, if it is PEM, or else bytes that are a secret as they are. A line end
    after the last of them does not belong to it.

    Raises:
        UsageError: it cannot be read, is empty or too long, or is a key that is encrypted or broken.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", path=path) from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"is longer than {MOST_BYTES} bytes", path=path)
    if _PEM in data and b"PRIVATE KEY-----" in data:
        return _private_keys(data, path)
    value = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(value) < LEAST_BYTES or len(set(value)) < 3:
        raise UsageError(
            f"a secret of less than {LEAST_BYTES} bytes, or of the same bytes, stands in every dump",
            path=path,
        )
    return NamedSecret(Path(path).name, Secret(value))


def _private_keys(data: bytes, path: str) -> list[PrivateKey]:
    keys: list[PrivateKey] = []
    at = data.find(_PEM)
    while at >= 0:
        try:
            hits = pem_block(data, at)
        except ImmureError as error:
            raise UsageError(error.reason, path=path, offset=at) from error
        keys += [hit.private for hit in hits if isinstance(hit, PrivateHit)]
        at = data.find(_PEM, at + 1)
    if not keys:
        raise UsageError(
            "holds no private key that can be read; an encrypted one has to be decrypted", path=path
        )
    return keys
