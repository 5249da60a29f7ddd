"""``vault:`` keys: a private key in a transit engine, which signs and never gives the key out."""

from __future__ import annotations

from typing import Final

from immure.custody.algorithms import Algorithm
from immure.custody.signer import Ask, Signer, choose_algorithm, shown
from immure.custody.transit import Transit
from immure.custody.vault_uri import VaultUri, parse_vault_uri
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey

WARNING: Final = "the transit engine would give this key out (exportable, or allow_plaintext_backup)"


class VaultSigner(Signer):
    """Signs in the engine, by one version of a key. The digest is computed here, except for Ed25519."""

    def __init__(
        self, uri: str, public: PublicKey, algorithm: Algorithm, transit: Transit, key: tuple[str, int]
    ) -> None:
        super().__init__(uri, public, algorithm)
        self._transit: Transit | None = transit
        self._key = key

    def _sign(self, message: bytes) -> bytes:
        if self._transit is None:
            raise SignerError("is closed", path=self.uri)
        name, version = self._key
        return self._transit.sign(name, version, self.algorithm, message)

    def close(self) -> None:
        """See :meth:`Signer.close`."""
        transit, self._transit = self._transit, None
        if transit is not None:
            transit.http.close()


def open_vault(uri: str, pin: str | None = None, ask: Ask | None = None) -> VaultSigner:
    """The key of a transit engine; errors as :func:`~immure.custody.signer.open_signer`. The token is in a
    file, so nobody is asked for a PIN."""
    parsed: VaultUri = parse_vault_uri(uri)
    path = shown(uri)
    transit = Transit(parsed, path)
    found = transit.find(parsed.key)
    if found is None:
        raise SignerError("there is no such key", path=path)
    version = parsed.version or found.latest
    public = found.public.get(version)
    if public is None:
        raise SignerError(f"the key has no version {version}", path=path)
    algorithm = choose_algorithm(public, parsed.algorithm, path)
    made = VaultSigner(path, public, algorithm, transit, (parsed.key, version))
    if not found.stays_inside:
        made.warning = WARNING
    return made
