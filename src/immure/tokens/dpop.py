"""DPoP proofs (RFC 9449): that the client has the key to which its token is bound, for this request and now.

    checker = ProofChecker()  # one for the whole program
    proof = checker.verify(header, method="GET", url="https://mail.example/inbox", token=token)
    claims = validator.validate(token, proof=proof)

A proof is the one kind of token that brings its own key, as the key is all that it proves. That key is good
for nothing else: what it may do is in the access token, whose ``cnf.jkt`` must be its thumbprint.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from immure import clock
from immure.errors import KeyFormatError
from immure.keymaterial.jwk import is_private_jwk, jwk_public
from immure.keymaterial.key import Origin, PublicKey, b64url
from immure.tokens.algorithms import ALGORITHMS, fitting, verifier
from immure.tokens.errors import ProofError, TokenError
from immure.tokens.fork_lock import ForkLock
from immure.tokens.parse import parse_payload, parse_signature, plain_type, split_token
from immure.tokens.strict import decode_object, decode_segment
from immure.tokens.weak import weakness

_MOST_BYTES: Final = 8 << 10
#: Proofs that are remembered, so that none is taken twice. When there are more, new ones are refused.
_MOST_KEPT: Final = 100_000
_PORTS: Final = {"https": 443, "http": 80}


class ProofChecker:
    """Checks proofs, and takes none twice. For several processes, each remembers its own.

    Args:
        max_age: how long ago a proof may have been made.
        skew: by how much it may be made in the future.
        algorithms: those that are taken.
        time: where the time is from.
    """

    def __init__(
        self,
        *,
        max_age: timedelta = timedelta(seconds=60),
        skew: timedelta = timedelta(seconds=5),
        algorithms: frozenset[str] = ALGORITHMS,
        time: clock.Clock = clock.now,
    ) -> None:
        self._max_age = max_age.total_seconds()
        self._skew = skew.total_seconds()
        self.algorithms = algorithms
        self._time = time
        self._seen: dict[bytes, float] = {}
        self._lock = ForkLock()

    def verify(self, proof: str | bytes, *, method: str, url: str, token: str | None) -> str:
        """The thumbprint of the key that the client has.

        Args:
            proof: the one ``DPoP`` header field.
            method, url: of the request; query and fragment do not count.
            token: the access token that came with it; None where one is only asked for, so that the proof
                cannot name it (RFC 9449, section 5).

        Raises:
            ProofError: it is malformed, does not hold, or is for something else (RFC 9449, section 4.3).
        """
        try:
            return self._verify(proof, method, url, token)
        except ProofError:
            raise
        except (TokenError, KeyFormatError) as error:
            raise ProofError(f"the proof is refused: {error.reason}") from error

    def _verify(self, proof: str | bytes, method: str, url: str, token: str | None) -> str:
        signed, head, payload, last = split_token(proof, _MOST_BYTES)
        header = decode_object(decode_segment(head))
        key = self._key(header)
        if not verifier(key.numbers, header["alg"])(parse_signature(last), signed):
            raise ProofError("the proof's signature does not hold")
        claims = parse_payload(payload)
        if claims.get("htm") != method:
            raise ProofError("the proof is for another method")
        if not isinstance(claims.get("htu"), str) or _place(claims["htu"]) != _place(url):
            raise ProofError("the proof is for another address")
        if token is not None and claims.get("ath") != _hash(token):
            raise ProofError("the proof is for another token")
        self._once(claims, key.thumbprint)
        return key.thumbprint

    def _key(self, header: dict[str, Any]) -> PublicKey:
        alg, typ, jwk = header.get("alg"), header.get("typ"), header.get("jwk")
        if not isinstance(typ, str) or plain_type(typ) != "dpop+jwt":
            raise ProofError("the proof's typ is not dpop+jwt")
        if "crit" in header or header.get("b64", True) is not True:
            raise ProofError("the proof needs an extension that is not known")
        if not isinstance(jwk, dict) or is_private_jwk(jwk) or "k" in jwk:
            raise ProofError("the proof has no public key")
        key = PublicKey(jwk_public(jwk), Origin("dpop"))
        if not isinstance(alg, str) or alg not in self.algorithms & fitting(key.numbers):
            raise ProofError("the proof's algorithm is not taken")
        weak = weakness(key)
        if weak is not None:
            raise ProofError(f"the proof's key {weak}")
        return key

    def _once(self, claims: dict[str, Any], thumbprint: str) -> None:
        made, name, now = claims.get("iat"), claims.get("jti"), self._time().timestamp()
        if not isinstance(made, int | float) or isinstance(made, bool):
            raise ProofError("the proof has no time (iat)")
        if not isinstance(name, str) or not name:
            raise ProofError("the proof has no id (jti)")
        if not now - self._max_age <= made <= now + self._skew:
            raise ProofError("the proof is too old, or of the future")
        digest = hashlib.sha256(f"{thumbprint} {name}".encode()).digest()
        with self._lock:
            if len(self._seen) >= _MOST_KEPT:
                self._seen = {one: until for one, until in self._seen.items() if until >= now}
            if self._seen.get(digest, 0) >= now:
                raise ProofError("the proof was used before")
            if len(self._seen) >= _MOST_KEPT:
                raise ProofError("more proofs than can be remembered: try again")
            self._seen[digest] = made + self._max_age


def _hash(token: str) -> str:
    return b64url(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())


def _place(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path, as RFC 3986, section 6.2, has them compared."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        raise ProofError("the address is malformed") from None
    return parts.scheme, (parts.hostname or "").lower(), port, parts.path or "/"
