"""Signed notes: short texts with signatures below, as C2SP signed-note has them.

>>> key = parse_vkey("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
>>> key.name, f"{key.key_id:08x}"
('sum.golang.org', '033de0ae')
>>> key.to_vkey() == "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
True

Source: https://c2sp.org/signed-note. Of the kinds of signature only Ed25519 (0x01) is made and checked here;
lines by other keys, such as those of witnesses, may stand beside it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from immure.errors import LogError

MAX_NOTE_BYTES = 1 << 18
MAX_SIGNATURES = 64
MAX_NAME = 255

_ED25519 = b"\x01"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_DASH = "— "
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class NoteSigner(Protocol):
    """Whoever holds the private key."""

    @property
    def name(self) -> str:
        """The key's name, which is the origin of the log that it signs."""

    @property
    def public_key(self) -> bytes:
        """The public half: 32 bytes (RFC 8032)."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of ``message``: 64 bytes."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """The public half of a key that signs notes, with its name.

    Raises:
        LogError: a name that notes cannot hold, or not the bytes of a key.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise LogError("a key's name is not empty, and has neither white space nor + in it")
        if len(self.public_key) != _KEY_BYTES:
            raise LogError(f"an Ed25519 public key has {_KEY_BYTES} bytes, not {len(self.public_key)}")

    @property
    def key_id(self) -> int:
        """The first four bytes of SHA-256(name ‖ newline ‖ 0x01 ‖ public key), as a number."""
        digest = sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()
        return int.from_bytes(digest[:4], "big")

    def to_vkey(self) -> str:
        """The key as a line of text: ``name+hash+base64``."""
        return f"{self}+{_encode(_ED25519 + self.public_key)}"

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id:08x}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: bytes that are no point of the curve
            return False
        return True


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures below it: name and id of the key, and what it signed."""

    text: str
    signatures: tuple[tuple[str, int, bytes], ...]

    def verify(self, key: NoteKey, *, path: str | None = None) -> None:
        """Return if the note is signed by ``key``. What other keys signed is not looked at.

        Raises:
            LogError: there is no signature by this key, or one that is wrong.
        """
        own = [signature for name, number, signature in self.signatures if (name, number) == _identity(key)]
        if not own:
            raise LogError(f"not signed by the key {key}", path=path)
        for signature in own:
            if not key.verify(self.text.encode(), signature):
                raise LogError(f"the signature by the key {key} is wrong", path=path)


def sign_note(text: str, signer: NoteSigner) -> bytes:
    """The note with ``text``, signed by ``signer``.

    Raises:
        LogError: what the signer gave is not the signature of its public key.
    """
    key = NoteKey(signer.name, signer.public_key)
    signature = bytes(signer.sign(text.encode()))
    if not key.verify(text.encode(), signature):
        raise LogError(f"the signer gave a signature that the key {key} does not verify")
    return f"{text}\n{_DASH}{key.name} {_encode(key.key_id.to_bytes(4, 'big') + signature)}\n".encode()


def parse_note(data: bytes, *, path: str | None = None) -> Note:
    """The note that ``data`` is; no signature is checked yet.

    Raises:
        LogError: it is none.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise LogError(f"a signed note of more than {MAX_NOTE_BYTES} bytes", path=path)
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LogError("a signed note that is not UTF-8", path=path, offset=error.start) from error
    text, separator, below = whole.rpartition("\n\n")
    if not separator or not below.endswith("\n") or any(c < " " and c != "\n" for c in whole):
        raise LogError("not a signed note: text, a blank line, and lines of signatures", path=path)
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise LogError(f"a signed note with more than {MAX_SIGNATURES} signatures", path=path)
    return Note(f"{text}\n", tuple(_parse_signature(line, path) for line in lines))


def parse_vkey(text: str) -> NoteKey:
    """The key that a line ``name+hash+base64`` stands for.

    Raises:
        LogError: it is not such a line, its hash is not that of the key, or it is not an Ed25519 key.
    """
    parts = _VKEY.fullmatch(text)
    raw = None if parts is None else decode_base64(parts[3])
    if parts is None or raw is None:
        raise LogError("not a public key of the form name+hash+base64")
    if raw[:1] != _ED25519:
        raise LogError("a public key of another kind than Ed25519")
    key = NoteKey(parts[1], raw[1:])
    if f"{key.key_id:08x}" != parts[2]:
        raise LogError(f"the key of the name {parts[1]!r} has another hash than it says")
    return key


def is_name(name: str) -> bool:
    """Whether notes can hold this as the name of a key."""
    return 0 < len(name) <= MAX_NAME and not any(c == "+" or c < " " or c.isspace() for c in name)


def decode_base64(text: str) -> bytes | None:
    """The bytes that ``text`` stands for; None if it is not base64 (RFC 4648 section 4), or not the one way
    to write those bytes: another way would be an alteration that nobody notices."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _encode(data) == text else None


def _parse_signature(line: str, path: str | None) -> tuple[str, int, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = decode_base64(encoded)
    if not line.startswith(_DASH) or not is_name(name) or raw is None or len(raw) < 5:
        raise LogError("a line that is no signature stands among the signatures", path=path)
    return name, int.from_bytes(raw[:4], "big"), raw[4:]


def _identity(key: NoteKey) -> tuple[str, int]:
    return key.name, key.key_id


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
