"""Whose signatures count: public keys out of files.

    keys = load_trusted(["release.pub"]).keys

A key signs by the one algorithm that its JWK names (``alg``), or else by the default of its kind: an RSA key
without an ``alg`` is trusted for PS256 and not for RS256. A key with a stated time of validity (that of its
certificate) is trusted in that time only; nothing else of a certificate is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from immure.custody.algorithms import Algorithm, algorithms_of
from immure.errors import KeySourceError
from immure.keymaterial.key import PublicKey
from immure.keymaterial.sources_files import load_path


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key whose signatures count, and the algorithm that it signs by."""

    public: PublicKey
    algorithm: Algorithm

    @property
    def thumbprint(self) -> str:
        """The key's name, by which envelopes name it."""
        return self.public.thumbprint

    def is_valid_at(self, moment: datetime) -> bool:
        """Whether the key's own time of validity, if it has one, covers ``moment``."""
        begin, end = self.public.origin.not_before, self.public.origin.not_after
        return (begin is None or begin <= moment) and (end is None or moment <= end)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Keys that are trusted, each once, and notes on what was left out."""

    keys: tuple[TrustedKey, ...]
    notes: tuple[str, ...] = ()


def load_trusted(paths: Iterable[str]) -> Trusted:
    """The keys in files (PEM, DER, JWK, JWKS, certificates) or directories of these.

    Only files: whom to trust is not asked of the network while something waits to be released.

    Raises:
        InputError: a file cannot be read or holds no key that signs statements.
    """
    keys: dict[tuple[str, Algorithm], TrustedKey] = {}
    notes: list[str] = []
    for path in paths:
        loaded = load_path(path)
        notes += loaded.notes
        usable = [key for public in loaded.keys if (key := trusted_key(public)) is not None]
        if not usable:
            raise KeySourceError("holds no key that signs statements (Ed25519, P-256, P-384, RSA)", path=path)
        if len(usable) < len(loaded.keys):
            notes.append(
                f"{path}: {len(loaded.keys) - len(usable)} of its keys do not sign statements: left out"
            )
        for key in usable:
            keys.setdefault((key.thumbprint, key.algorithm), key)
    return Trusted(tuple(keys.values()), tuple(notes))


def trusted_key(public: PublicKey) -> TrustedKey | None:
    """The key as one that is trusted; None if its kind, or the use it is for, is not to sign statements."""
    if public.origin.use not in (None, "sig"):
        return None
    possible, stated = algorithms_of(public.numbers), public.origin.alg
    if not possible:
        return None
    if stated is None:
        return TrustedKey(public, possible[0])
    for algorithm in possible:
        if algorithm == stated or (stated == "Ed25519" and algorithm == "EdDSA"):  # RFC 9864 has the new name
            return TrustedKey(public, algorithm)
    return None
