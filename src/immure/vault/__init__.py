"""Dumps sealed at rest: stored by the digest of their bytes, encrypted under keys that can be destroyed.

>>> from immure.vault import Vault
>>> with open("app.core", "rb") as stream:                      # doctest: +SKIP
...     sealed = Vault.open("/var/lib/immure/vault").seal(stream, name="app.core")
>>> sealed.id                                                   # doctest: +SKIP
'sha256:9f86d081…'
"""

from __future__ import annotations

from immure.vault.records import Sealed, Tombstone
from immure.vault.store import Vault
from immure.vault.wrapping import FileWrapping, PassphraseWrapping, Wrapping

__all__ = ["FileWrapping", "PassphraseWrapping", "Sealed", "Tombstone", "Vault", "Wrapping"]
