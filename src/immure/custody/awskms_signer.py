"""``awskms:`` keys: a private key in AWS KMS, which signs and never gives the key out."""

from __future__ import annotations

from immure.custody.algorithms import Algorithm
from immure.custody.awskms import Kms
from immure.custody.awskms_uri import KmsUri, parse_kms_uri
from immure.custody.signer import Ask, Signer, choose_algorithm, shown
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey


class KmsSigner(Signer):
    """Signs in KMS. The digest is computed here, except for Ed25519: then the message goes there."""

    def __init__(self, uri: str, public: PublicKey, algorithm: Algorithm, kms: Kms, key: str) -> None:
        super().__init__(uri, public, algorithm)
        self._kms: Kms | None = kms
        self._key = key

    def _sign(self, message: bytes) -> bytes:
        if self._kms is None:
            raise SignerError("is closed", path=self.uri)
        return self._kms.sign(self._key, self.algorithm, message)

    def close(self) -> None:
        """See :meth:`Signer.close`."""
        self._kms = None


def open_kms(uri: str, pin: str | None = None, ask: Ask | None = None) -> KmsSigner:
    """The key in KMS; errors as :func:`~immure.custody.signer.open_signer`. There is no PIN: credentials are
    found as the tools of AWS find them."""
    parsed: KmsUri = parse_kms_uri(uri)
    path = shown(uri)
    kms = Kms(parsed, path)
    public = kms.public(parsed.key)
    if public is None:
        raise SignerError("there is no such key", path=path)
    return KmsSigner(path, public, choose_algorithm(public, parsed.algorithm, path), kms, parsed.key)
