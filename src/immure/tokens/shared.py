"""A secret that signer and verifier share (HMAC; RFC 7518, section 3.2): for signed texts, never for tokens.

Whoever can check such a signature can make one, so it says nothing of who signed: a relying party could
issue whatever the issuer issues. :class:`~immure.tokens.validator.Validator` takes none. What is signed and
checked by the same people, a cookie or a webhook, :func:`immure.tokens.jws.verify` checks with this.

The algorithm is the owner's word and not the text's; a public key is no secret, and is refused as one.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from immure.errors import KeyFormatError
from immure.secret import Secret
from immure.tokens.errors import AlgorithmError, Base64Error, KeyUseError, UnknownKeyError, WeakKeyError
from immure.tokens.strict import decode_segment

#: Bytes of a digest, and so of the shortest secret.
SIZES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
_MOST_BYTES: Final = 4096
#: How public keys and certificates begin: an attacker knows those, and would sign with them.
_PUBLIC: Final = re.compile(rb"\s*(-----BEGIN |ssh-|ecdsa-sha2-|sk-|\{|MI[A-Z])")


class SharedSecret:
    """One secret and its algorithm.

    Args:
        secret: as many random bytes as the digest has, or more.
        algorithm: ``HS256``, ``HS384`` or ``HS512``.
        kid: that a text must name if it names one; None takes any.

    Raises:
        AlgorithmError: another algorithm.
        WeakKeyError: too short, too long, or a public key.
    """

    __slots__ = ("_secret", "algorithm", "kid")

    def __init__(self, secret: bytes | Secret[bytes], algorithm: str, *, kid: str | None = None) -> None:
        raw = secret.reveal() if isinstance(secret, Secret) else secret
        if algorithm not in SIZES:
            raise AlgorithmError(f"{algorithm[:20]!a} is not an algorithm of shared secrets")
        if not SIZES[algorithm] <= len(raw) <= _MOST_BYTES:
            least = SIZES[algorithm]
            raise WeakKeyError(f"the secret has {len(raw)} bytes; {least} to {_MOST_BYTES} are taken")
        if _PUBLIC.match(raw):
            raise WeakKeyError("what is given as a secret is a key that others may know")
        self._secret, self.algorithm, self.kid = Secret(bytes(raw)), algorithm, kid

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> SharedSecret:
        """The secret of a JWK of type ``oct`` (RFC 7518, section 6.4) that names its algorithm.

        Raises:
            KeyFormatError: it is of another type, or malformed.
            KeyUseError: it is for something else than signatures.
            AlgorithmError, WeakKeyError: as the class.
        """
        value, algorithm, kid = jwk.get("k"), jwk.get("alg"), jwk.get("kid")
        if jwk.get("kty") != "oct" or not isinstance(value, str):
            raise KeyFormatError("JWK that is no shared secret")
        if not isinstance(algorithm, str) or not isinstance(kid, str | None):
            raise KeyFormatError("a shared secret names its algorithm (alg), and its id in text")
        operations = jwk.get("key_ops", ["verify"])
        if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
            raise KeyUseError("the secret is not for verifying")
        try:
            return cls(decode_segment(value.encode("utf-8", "surrogatepass")), algorithm, kid=kid)
        except Base64Error:
            raise KeyFormatError("JWK whose secret is not base64url") from None

    def check(self, alg: str, kid: str | None, allowed: frozenset[str]) -> None:
        """Whether a text that names this algorithm and key may be checked with this secret.

        Raises:
            AlgorithmError, UnknownKeyError: it may not.
        """
        if kid is not None and self.kid is not None and kid != self.kid:
            raise UnknownKeyError(f"the secret is not {kid[:80]!r}")
        if alg != self.algorithm or (allowed and alg not in allowed):
            raise AlgorithmError(f"the secret may not be used with {alg[:20]!a}")

    def holds(self, signature: bytes, data: bytes) -> bool:
        """Whether a signature is right, told in the same time wherever it is wrong."""
        name = f"sha{self.algorithm[2:]}"
        return hmac.compare_digest(hmac.digest(self._secret.reveal(), data, name), signature)

    def __repr__(self) -> str:
        return f"SharedSecret({self.algorithm}, kid={self.kid!r})"
