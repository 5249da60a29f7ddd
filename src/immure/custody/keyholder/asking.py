"""What a front end asks, as bytes; shared by the holder's two faces, for threads and for asyncio."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from immure.clock import to_rfc3339
from immure.custody.algorithms import Algorithm
from immure.custody.keyholder.errors import HolderRequestError
from immure.custody.keyholder.held_key import Rules, rules_from_plain
from immure.custody.keyholder.protocol import from_json, to_json
from immure.custody.public_half import from_spki
from immure.errors import InputError
from immure.keymaterial.key import PublicKey
from immure.registry.members import Members
from immure.registry.state import KeyState

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class KeyInfo:
    """What a front end knows of a key.

    Attributes:
        signed: how often it signed, at most (a holder that was killed may have signed less often).
        origin: ``generated`` or ``imported``; with ``, restored`` if it came out of a backup.
    """

    kid: str
    public: PublicKey
    rules: Rules
    state: KeyState
    origin: str
    signed: int

    @property
    def algorithm(self) -> Algorithm:
        """How it signs."""
        return self.rules.algorithm

    def head(self, header: Mapping[str, Any] | None) -> bytes:
        """The header of its tokens, encoded."""
        if not header:
            return self._plain_head
        return b64(_dumps({"alg": self.rules.algorithm, "kid": self.kid, "typ": "JWT", **header}))

    @cached_property
    def _plain_head(self) -> bytes:
        return b64(_dumps({"alg": self.rules.algorithm, "kid": self.kid, "typ": "JWT"}))


def key_info(plain: Mapping[str, Any]) -> KeyInfo:
    """A key, as the holder describes it; raises HolderRequestError."""
    from base64 import b64decode

    try:
        return KeyInfo(
            plain["kid"],
            from_spki(b64decode(plain["public"]), f"keyholder:{plain['kid']}"),
            rules_from_plain(Members(plain["rules"], "rules", "")),
            KeyState(plain["state"]),
            plain["origin"],
            plain["signed"],
        )
    except (KeyError, ValueError, TypeError, InputError) as error:
        raise HolderRequestError("the holder's answer is malformed") from error


def key_infos(body: bytes) -> dict[str, KeyInfo]:
    """The keys in an answer to LIST."""
    return {key["kid"]: key_info(key) for key in from_json(body).get("keys", [])}


def signing_input(key: KeyInfo, header: Mapping[str, Any] | None, claims: Mapping[str, Any] | bytes) -> bytes:
    """Header and claims as JWS signs them (RFC 7515, section 5.1); ``alg`` and ``kid`` are the key's.

    Raises:
        HolderRequestError: they cannot be written as JSON.
    """
    try:
        payload = claims if isinstance(claims, bytes) else _dumps(claims)
        return key.head(header) + b"." + b64(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise HolderRequestError("header or claims are not JSON") from error


def _dumps(value: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(value).encode()


def b64(data: bytes) -> bytes:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def token(signed: bytes, signature: bytes) -> str:
    """A token in compact form."""
    return (signed + b"." + b64(signature)).decode("ascii")


def generate_body(kid: str, rules: Rules, bits: int, state: KeyState) -> bytes:
    """What GENERATE asks."""
    return to_json({"kid": kid, "rules": rules.to_plain(), "bits": bits, "state": state.value})


def succeed_body(
    kid: str,
    after: str,
    bits: int,
    state: KeyState,
    not_before: datetime | None,
    not_after: datetime | None,
    never: Collection[str] = (),
) -> bytes:
    """What SUCCEED asks."""
    asked: dict[str, Any] = {"kid": kid, "after": after, "bits": bits, "state": state.value}
    if never:
        asked["never"] = sorted(never)
    for name, moment in (("not_before", not_before), ("not_after", not_after)):
        if moment is not None:
            asked[name] = to_rfc3339(moment)
    return to_json(asked)
