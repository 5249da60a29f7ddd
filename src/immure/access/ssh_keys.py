"""Public keys of SSH, as far as a certificate can be made for them.

One line: the type, the blob in base64, a comment (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"); the blob begins
with its type again (RFC 4253, section 6.6). Types of security keys are those of OpenSSH's PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from immure.access.room import deny
from immure.errors import InputError

#: Keys whose private half is in security keys, or says so.
SK_TYPES: Final = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
#: Keys whose private half is a file.
PLAIN_TYPES: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
MOST_BYTES: Final = 4 << 10


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; ``sk`` if it says that it is in a security key."""

    type: str
    blob: bytes

    @property
    def sk(self) -> bool:
        """Whether it is of a type of security keys."""
        return self.type in SK_TYPES

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).rstrip(b"=").decode("ascii")

    @property
    def line(self) -> bytes:
        """The line, without the comment."""
        return f"{self.type} {base64.b64encode(self.blob).decode('ascii')}\n".encode("ascii")


def parse_public_key(data: bytes) -> PublicKey:
    """The one key of a file.

    Raises:
        InputError: it holds something else.
    """
    if len(data) > MOST_BYTES:
        raise InputError(f"a public key of SSH has at most {MOST_BYTES} bytes")
    lines = [line for line in data.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    parts = lines[0].split() if len(lines) == 1 else []
    if len(parts) < 2:
        raise InputError("not one public key of SSH: a type, and a text in base64")
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise InputError("the public key of SSH is not in base64") from None
    kind = parts[0]
    if blob[: 4 + len(kind)] != len(kind).to_bytes(4, "big") + kind:
        raise InputError("the public key of SSH is of another type than its line says")
    name = kind.decode("ascii", "replace")
    if name not in (*SK_TYPES, *PLAIN_TYPES):
        raise InputError(
            f"certificates are made for {', '.join((*SK_TYPES, *PLAIN_TYPES))}, not {name[:40]!r}"
        )
    return PublicKey(name, blob)


def need_security_key(key: PublicKey) -> None:
    """Say no to a key that can be copied."""
    if not key.sk:
        deny(
            "plain-key", f"a key of the type {key.type} is a file, and can be copied; make one of ed25519-sk"
        )
