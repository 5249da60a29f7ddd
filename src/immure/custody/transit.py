"""Keys of a transit engine of Vault or OpenBao: made and used there, and never given out.

The API is that of the documentation ("Transit secrets engine (API)"). It is tested against a server of our
own that does what the documentation says; no Vault was at hand.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from immure.custody.algorithms import Algorithm
from immure.custody.public_half import from_spki
from immure.custody.vault_http import VaultHttp
from immure.custody.vault_uri import VaultUri, is_key_name
from immure.errors import KeyFormatError, SignerError
from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.numbers import checked_okp

#: Algorithm of the digest, and name of the signature's padding, there.
_SIGNING: Final[dict[str, tuple[str, str | None]]] = {
    "RS256": ("sha2-256", "pkcs1v15"),
    "PS256": ("sha2-256", "pss"),
    "ES256": ("sha2-256", None),
    "ES384": ("sha2-384", None),
}
_TYPES: Final = {"ES256": "ecdsa-p256", "ES384": "ecdsa-p384", "EdDSA": "ed25519"}
_SIGNATURE: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]{1,8192}={0,2})")
_PEM: Final = re.compile(
    r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Found:
    """A key, as the engine describes it.

    Attributes:
        public: public halves by version.
        latest: the newest version.
        stays_inside: whether the engine would never give it out.
    """

    public: Mapping[int, PublicKey]
    latest: int
    stays_inside: bool


class Transit:
    """Keys of one engine; for any number of threads.

    Args:
        uri: of the engine, or of a key in it.
        path: what errors name.
        seconds: of one request.
    """

    def __init__(self, uri: VaultUri, path: str, seconds: float | None = None) -> None:
        self._mount, self._path = uri.mount, path
        self.http = VaultHttp(uri, path) if seconds is None else VaultHttp(uri, path, seconds)

    def find(self, name: str) -> Found | None:
        """What the engine says of a key; None if there is none. Raises SignerError."""
        answer = self.http.ask("GET", self._place("keys", name))
        return None if answer is None else self._described(answer)

    def make(self, name: str, algorithm: Algorithm, bits: int) -> None:
        """Make a key that never leaves the engine; nothing happens if there is one. Raises SignerError."""
        kind = _TYPES.get(algorithm, f"rsa-{bits}")
        asked = {"type": kind, "exportable": False, "allow_plaintext_backup": False}
        self._must("POST", self._place("keys", name), asked)

    def sign(self, name: str, version: int, algorithm: Algorithm, message: bytes) -> bytes:
        """A signature, as :mod:`immure.custody.algorithms` says how it is written. Raises SignerError."""
        asked: dict[str, Any] = {"key_version": version}
        place = self._place("sign", name)
        if algorithm == "EdDSA":
            asked["input"] = base64.b64encode(message).decode("ascii")
        else:
            digest, padding = _SIGNING[algorithm]
            place = f"{place}/{digest}"
            made = hashlib.new(f"sha{digest[-3:]}", message).digest()
            asked |= {"input": base64.b64encode(made).decode("ascii"), "prehashed": True}
            if padding is None:
                asked["marshaling_algorithm"] = "asn1"
            else:
                asked |= {"signature_algorithm": padding, "salt_length": "hash"}
        data = self._must("POST", place, asked).get("data")
        text = data.get("signature") if isinstance(data, dict) else None
        match = _SIGNATURE.fullmatch(text) if isinstance(text, str) else None
        if match is None or int(match[1]) != version:
            self._misunderstood("signature")
        return self._decoded(match[2], "signature")

    def destroy(self, name: str) -> None:
        """Delete a key for good; nothing happens if there is none. Raises SignerError."""
        if self.http.ask("GET", self._place("keys", name)) is None:
            return
        self.http.ask("POST", self._place("keys", name) + "/config", {"deletion_allowed": True})
        self.http.ask("DELETE", self._place("keys", name))
        if self.http.ask("GET", self._place("keys", name)) is not None:
            raise SignerError("the server says that the key is deleted, and still has it", path=self._path)

    def _place(self, what: str, name: str) -> str:
        if not is_key_name(name):
            raise SignerError(f"{name[:80]!a} is no name of a key there", path=self._path)
        return f"{self._mount}/{what}/{name}"

    def _must(self, method: str, place: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.ask(method, place, body)
        if answer is None:
            raise SignerError("there is no such key, or no transit engine there", path=self._path)
        return answer

    def _described(self, answer: dict[str, Any]) -> Found:
        data = answer.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("keys"), dict):
            self._misunderstood("description of the key")
        kind, latest = data.get("type"), data.get("latest_version")
        if data.get("supports_signing") is False or not isinstance(kind, str):
            raise SignerError("the key is not for signing", path=self._path)
        found = {}
        for version, one in list(data["keys"].items())[:10_000]:
            text = one.get("public_key") if isinstance(one, dict) else None
            if not re.fullmatch("[1-9][0-9]{0,8}", version) or not isinstance(text, str):
                raise SignerError("the key is not for signing", path=self._path)
            found[int(version)] = self._public(kind, text)
        if type(latest) is not int or latest not in found:
            self._misunderstood("description of the key")
        takes_out = data.get("exportable"), data.get("allow_plaintext_backup")
        return Found(found, latest, takes_out == (False, False))

    def _public(self, kind: str, text: str) -> PublicKey:
        if kind == "ed25519":
            try:
                numbers = checked_okp("Ed25519", self._decoded(text, "public half"))
            except KeyFormatError as error:
                raise SignerError(f"its public half is refused: {error.reason}", path=self._path) from error
            return PublicKey(numbers, Origin(self._path))
        match = _PEM.fullmatch(text)
        if match is None:
            self._misunderstood("public half")
        return from_spki(self._decoded("".join(match[1].split()), "public half"), self._path)

    def _decoded(self, text: str, what: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            self._misunderstood(what)

    def _misunderstood(self, what: str) -> NoReturn:
        raise SignerError(f"the server's answer has no {what} that can be understood", path=self._path)
