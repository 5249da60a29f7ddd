"""What was redacted, as the prover is told of it: keys, and secrets of which only the bytes are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from immure.errors import UsageError
from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, RsaPrivate
from immure.secret import Secret


@dataclass(frozen=True, slots=True, eq=False)
class ScalarOnly:
    """An octet key pair of which the scalar is known (clamped or not), and not the seed."""

    public: OkpNumbers
    scalar: Secret[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class ByteSecret:
    """A secret without a public half: a password, a symmetric key. ``name`` is shown: it must not tell it."""

    name: str
    value: Secret[bytes]


KnownSecret = PrivateKey | ScalarOnly | ByteSecret
#: What callers may pass: also an octet key pair as (public half, scalar).
Given = KnownSecret | tuple[OkpNumbers, bytes]

#: Bytes of the shortest secret that is looked for: a shorter one stands in every image by chance.
SHORTEST = 6


def taken(secrets: Iterable[Given]) -> list[KnownSecret]:
    """The secrets in one form.

    Raises:
        UsageError: something else, or a secret that is too short to be looked for.
    """
    result: list[KnownSecret] = []
    for secret in secrets:
        if isinstance(secret, tuple):
            public, scalar = secret
            secret = ScalarOnly(public, Secret(scalar))
        if isinstance(secret, ByteSecret) and len(secret.value.reveal()) < SHORTEST:
            raise UsageError(f"the secret {secret.name!r} has less than {SHORTEST} bytes")
        if not isinstance(secret, RsaPrivate | EcPrivate | OkpPrivate | ScalarOnly | ByteSecret):
            raise UsageError(f"a {type(secret).__name__} is no secret that can be looked for")
        result.append(secret)
    return result


def name_of(secret: KnownSecret) -> str:
    """What a report calls it: the thumbprint of the public key (RFC 7638), or the name of a plain secret."""
    if isinstance(secret, ByteSecret):
        return secret.name
    return PublicKey(secret.public, Origin("prove")).thumbprint


def kind_of(secret: KnownSecret) -> str:
    """``RSA-2048``, ``P-256``, ``Ed25519``, ``secret``."""
    if isinstance(secret, ByteSecret):
        return "secret"
    return PublicKey(secret.public, Origin("prove")).label
