"""``vault:`` private keys in a transit engine: made there, used there, never given out.

``vault:transit?address=https://vault.example:8200&token-source=/run/vault/token`` names the engine; keys have
their ``kid`` as name there. Each has one version: rotation makes keys, not versions.
"""

from __future__ import annotations

from typing import Final

from immure.custody.algorithms import Algorithm
from immure.custody.signer import shown
from immure.custody.transit import Transit
from immure.custody.vault_uri import VaultUri, parse_vault_uri
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey
from immure.signing.remote_keys import Remote, RemoteKeys

#: A kid is one key. If somebody rotates it there, that is another key, and not what relying parties know.
_VERSION: Final = 1


class _Keys(Remote):
    def __init__(self, uri: VaultUri, path: str, seconds: float | None) -> None:
        self._path = path
        self._transit = Transit(uri, path, seconds)

    def open(self) -> None:
        self._transit.http.open()

    def find(self, kid: str) -> PublicKey | None:
        found = self._transit.find(kid)
        if found is None:
            return None
        if not found.stays_inside:
            raise SignerError(
                f"the engine would give the key {kid[:80]!a} out; it is not used", path=self._path
            )
        public = found.public.get(_VERSION)
        if public is None:
            raise SignerError(f"the first version of {kid[:80]!a} was taken away", path=self._path)
        return public

    def make(self, kid: str, algorithm: Algorithm, bits: int) -> None:
        self._transit.make(kid, algorithm, bits)

    def sign(self, kid: str, algorithm: Algorithm, message: bytes) -> bytes:
        return self._transit.sign(kid, _VERSION, algorithm, message)

    def destroy(self, kid: str) -> None:
        self._transit.destroy(kid)

    def close(self) -> None:
        self._transit.http.close()


class VaultKeys(RemoteKeys):
    """Keys of one engine.

    Args:
        uri: ``vault:MOUNT?address=URL&token-source=FILE``.
        seconds: of one request.

    Raises:
        SignerError: the URI is none, or names more than an engine.
    """

    def __init__(self, uri: str, *, seconds: float | None = None) -> None:
        parsed, path = parse_vault_uri(uri, names_key=False), shown(uri)
        if parsed.algorithm is not None or parsed.version is not None:
            raise SignerError("alg and version are not for an engine: each key has its own", path=path)
        super().__init__(_Keys(parsed, path, seconds), path)
