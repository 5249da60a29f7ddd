"""What a witness puts below a checkpoint: "at this time I saw the log in this state, and it continued what I
had seen before" (C2SP tlog-cosignature, ``cosignature/v1``).

>>> key = CosignatureKey("witness.example", bytes(32))
>>> parse_witness(key.to_vkey()) == key
True

What is signed are two lines, ``cosignature/v1`` and ``time SECONDS``, and the text of the checkpoint.
Witnesses have Ed25519 keys of a type of their own (0x04), so that a key of a log cannot be taken for one.

Source: https://c2sp.org/tlog-cosignature
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from hashlib import sha256

from immure.auditlog.checkpoint import Checkpoint
from immure.auditlog.note import NoteKey, NoteSigner, decode_base64, is_name, parse_note
from immure.errors import LogError

_TYPE = b"\x04"
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
_TIME_BYTES, _SIGNATURE_BYTES = 8, 64
_LATEST = 253_402_300_799


@dataclass(frozen=True, slots=True)
class CosignatureKey:
    """The public half of a witness's key, with its name.

    Raises:
        LogError: a name that notes cannot hold, or not the bytes of a key.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise LogError("a witness's name is not empty, and has neither white space nor + in it")
        if len(self.public_key) != 32:
            raise LogError(f"an Ed25519 public key has 32 bytes, not {len(self.public_key)}")

    @property
    def key_id(self) -> int:
        """The first four bytes of SHA-256(name ‖ newline ‖ 0x04 ‖ public key), as a number."""
        digest = sha256(self.name.encode() + b"\n" + _TYPE + self.public_key).digest()
        return int.from_bytes(digest[:4], "big")

    def to_vkey(self) -> str:
        """The key as a line of text: ``name+hash+base64``."""
        return f"{self.name}+{self.key_id:08x}+{base64.b64encode(_TYPE + self.public_key).decode()}"

    def seen(self, note: bytes, *, path: str | None = None) -> int:
        """When the witness saw the checkpoint that a note holds, in seconds since 1970.

        Raises:
            LogError: it has not signed it, or its signature is wrong.
        """
        parsed = parse_note(note, path=path)
        for name, number, signature in parsed.signatures:
            if (name, number) != (self.name, self.key_id):
                continue
            if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
                raise LogError(f"the cosignature of {self.name} has another length", path=path)
            time = int.from_bytes(signature[:_TIME_BYTES], "big")
            message = _message(parsed.text, time)
            if not NoteKey(self.name, self.public_key).verify(message, signature[_TIME_BYTES:]):
                raise LogError(f"the cosignature of {self.name} is wrong", path=path)
            return time
        raise LogError(f"not witnessed by {self.name}", path=path)


def cosign(checkpoint: Checkpoint, signer: NoteSigner, time: int) -> str:
    """The line, with its newline, that a witness puts below a checkpoint.

    Args:
        checkpoint: what it saw; that it may sign this is the caller's to know.
        signer: holds the witness's key.
        time: of now, in seconds since 1970.

    Raises:
        LogError: what the signer gave is not the signature of its public key.
    """
    key = CosignatureKey(signer.name, signer.public_key)
    if not 0 <= time <= _LATEST:
        raise LogError("the clock gave no time that can be")
    message = _message(checkpoint.text, time)
    signature = bytes(signer.sign(message))
    if not NoteKey(key.name, key.public_key).verify(message, signature):
        raise LogError(f"the signer gave a signature that the key {key.name} does not verify")
    raw = key.key_id.to_bytes(4, "big") + time.to_bytes(_TIME_BYTES, "big") + signature
    return f"— {key.name} {base64.b64encode(raw).decode()}\n"


def parse_witness(text: str) -> CosignatureKey:
    """The witness's key that a line ``name+hash+base64`` stands for.

    Raises:
        LogError: it is not such a line, its hash is another, or it is not the key of a witness.
    """
    parts = _VKEY.fullmatch(text.strip())
    raw = None if parts is None else decode_base64(parts[3])
    if parts is None or raw is None:
        raise LogError("not a public key of the form name+hash+base64")
    if raw[:1] != _TYPE:
        raise LogError("a public key of another kind than that of a witness")
    key = CosignatureKey(parts[1], raw[1:])
    if f"{key.key_id:08x}" != parts[2]:
        raise LogError(f"the key of the name {parts[1]!r} has another hash than it says")
    return key


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
