"""What an authenticator signs (WebAuthn Level 3, section 6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from immure.access.webauthn.cbor import Reader
from immure.errors import InputError

UP: Final = 0x01
UV: Final = 0x04
BE: Final = 0x08
BS: Final = 0x10
AT: Final = 0x40
ED: Final = 0x80
_RESERVED: Final = 0x22
_HEAD: Final = 37


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that was just made: the model of its authenticator, its id, and its public key (COSE)."""

    aaguid: bytes
    id: bytes
    cose: bytes


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """Authenticator data.

    Attributes:
        rp_id_hash: SHA-256 of the relying party's id.
        flags: :data:`UP`, :data:`UV`, :data:`BE`, :data:`BS`, :data:`AT` and :data:`ED`.
        counter: of signatures; always 0 for authenticators that do not count.
        credential: at registration.
    """

    rp_id_hash: bytes
    flags: int
    counter: int
    credential: Credential | None

    def has(self, flag: int) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)


def parse_authenticator_data(data: bytes) -> AuthenticatorData:
    """Authenticator data, all of ``data``.

    Raises:
        InputError: it is none.
    """
    if len(data) < _HEAD:
        raise InputError(f"authenticator data of {len(data)} bytes; there are at least {_HEAD}")
    flags, reader = data[32], Reader(data, _HEAD)
    if flags & _RESERVED:
        raise InputError("authenticator data with a flag that has no meaning", offset=32)
    credential = _credential(data, reader) if flags & AT else None
    if flags & ED and not isinstance(reader.value(), dict):
        raise InputError("authenticator data with extensions that are no map", offset=reader.at)
    reader.finish()
    return AuthenticatorData(data[:32], flags, int.from_bytes(data[33:_HEAD], "big"), credential)


def _credential(data: bytes, reader: Reader) -> Credential:
    start = _HEAD + 18
    length = int.from_bytes(data[start - 2 : start], "big")
    identity = data[start : start + length]
    if len(data) < start or len(identity) != length:
        raise InputError("authenticator data that break off in a credential", offset=_HEAD)
    reader.at = start + length
    if not isinstance(reader.value(), dict):
        raise InputError("a public key that is no map", offset=start + length)
    return Credential(data[_HEAD : _HEAD + 16], identity, data[start + length : reader.at])
