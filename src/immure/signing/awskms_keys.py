"""``awskms:`` private keys in AWS KMS: made there, used there, never given out.

``awskms:alias/issuer-?region=eu-central-1`` has the beginning of the keys' aliases; the rest of an alias is
the ``kid``. Credentials are found where the tools of AWS find them.
"""

from __future__ import annotations

import re
from typing import Final

from immure.custody.algorithms import Algorithm
from immure.custody.awskms import Kms
from immure.custody.awskms_uri import KmsUri, parse_kms_uri
from immure.custody.signer import shown
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey
from immure.signing.remote_keys import Remote, RemoteKeys

_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,120}")


class _Keys(Remote):
    def __init__(self, uri: KmsUri, path: str) -> None:
        self._prefix, self._path = uri.key, path
        self._kms = Kms(uri, path)

    def open(self) -> None:
        self._kms.open()

    def find(self, kid: str) -> PublicKey | None:
        return self._kms.public(self._alias(kid))

    def make(self, kid: str, algorithm: Algorithm, bits: int) -> None:
        self._kms.make(self._alias(kid), algorithm, bits, f"signs tokens as {kid}")

    def sign(self, kid: str, algorithm: Algorithm, message: bytes) -> bytes:
        return self._kms.sign(self._alias(kid), algorithm, message)

    def destroy(self, kid: str) -> None:
        self._kms.destroy(self._alias(kid))

    def _alias(self, kid: str) -> str:
        if not _KID.fullmatch(kid):
            raise SignerError(f"{kid[:80]!a} cannot be a part of an alias", path=self._path)
        return self._prefix + kid


class AwsKmsKeys(RemoteKeys):
    """Keys of one account and region.

    Args:
        uri: ``awskms:alias/PREFIX?…``.

    Raises:
        SignerError: the URI is none, or is not one of aliases.
    """

    def __init__(self, uri: str) -> None:
        parsed, path = parse_kms_uri(uri), shown(uri)
        if not parsed.key.startswith("alias/") or parsed.algorithm is not None:
            raise SignerError(
                "of a service, is awskms:alias/PREFIX?region=NAME, without alg: rotation names the keys",
                path=path,
            )
        super().__init__(_Keys(parsed, path), path)
