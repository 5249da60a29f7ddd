"""Responses of WebAuthn as JSON: what ``credential.toJSON()`` gives in a browser (Level 3, section 5.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure.access.texts import decode, encode
from immure.access.webauthn.client_data import parse_object
from immure.errors import InputError

MOST_BYTES: Final = 1 << 17
_TRANSPORTS: Final = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal", "cable")


@dataclass(frozen=True, slots=True)
class Registration:
    """A credential was made: its id, and what was signed of it."""

    id: bytes
    client_data: bytes
    attestation_object: bytes
    transports: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As log entries have it, and as :func:`parse_registration` reads it."""
        return {
            "id": encode(self.id),
            "rawId": encode(self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(self.client_data),
                "attestationObject": encode(self.attestation_object),
                "transports": list(self.transports),
            },
        }


@dataclass(frozen=True, slots=True)
class Assertion:
    """A credential was used: its id, and what it signed."""

    id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """As log entries have it, and as :func:`parse_assertion` reads it."""
        response = {
            "clientDataJSON": encode(self.client_data),
            "authenticatorData": encode(self.authenticator_data),
            "signature": encode(self.signature),
        }
        if self.user_handle is not None:
            response["userHandle"] = encode(self.user_handle)
        return {"id": encode(self.id), "rawId": encode(self.id), "type": "public-key", "response": response}


def parse_response(data: bytes | str | Mapping[str, Any]) -> Registration | Assertion:
    """Whichever of the two it is; raises InputError."""
    members = _members(data)
    inner = members.get("response")
    if isinstance(inner, Mapping) and "attestationObject" in inner:
        return _registration(members)
    return _assertion(members)


def parse_registration(data: bytes | str | Mapping[str, Any]) -> Registration:
    """The response to ``navigator.credentials.create()``; raises InputError."""
    return _registration(_members(data))


def parse_assertion(data: bytes | str | Mapping[str, Any]) -> Assertion:
    """The response to ``navigator.credentials.get()``; raises InputError."""
    return _assertion(_members(data))


def _registration(members: Mapping[str, Any]) -> Registration:
    identity, response = _outer(members)
    transports = response.get("transports", [])
    known = tuple(one for one in _TRANSPORTS if isinstance(transports, list) and one in transports)
    client = _bytes(response, "clientDataJSON")
    return Registration(identity, client, _bytes(response, "attestationObject"), known)


def _assertion(members: Mapping[str, Any]) -> Assertion:
    identity, response = _outer(members)
    handle = None if response.get("userHandle") is None else _bytes(response, "userHandle")
    return Assertion(
        identity,
        _bytes(response, "clientDataJSON"),
        _bytes(response, "authenticatorData"),
        _bytes(response, "signature"),
        handle,
    )


def _members(data: bytes | str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        try:
            data = json.dumps(dict(data))  # so that bounds and types are those of any other response
        except (TypeError, ValueError, RecursionError):
            raise InputError("a WebAuthn response that is no JSON") from None
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
    return parse_object(raw, MOST_BYTES, "a WebAuthn response")


def _outer(members: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    response = members.get("response")
    if members.get("type") != "public-key" or not isinstance(response, Mapping):
        raise InputError("not a WebAuthn response: no public-key credential, or no response in it")
    identity = _bytes(members, "rawId")
    if members.get("id") != encode(identity):
        raise InputError("a WebAuthn response with two different ids")
    return identity, response


def _bytes(members: Mapping[str, Any], name: str) -> bytes:
    value = members.get(name)
    if not isinstance(value, str):
        raise InputError(f"a WebAuthn response without {name}")
    try:
        return decode(value)
    except InputError as error:
        raise InputError(f"a WebAuthn response whose {name} is {error.reason}") from error
