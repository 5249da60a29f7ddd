"""Certificates, security keys and agents of OpenSSH, made up byte by byte: also as none would make them."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from immure.access.sudo.agent import Agent

NOW = 1_796_000_000
SK = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
PLAIN = "ssh-ed25519"
ECDSA = "ecdsa-sha2-nistp256"
_CERTIFICATES = {
    SK: "sk-ssh-ed25519-cert-v01@openssh.com",
    SK_ECDSA: "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    PLAIN: "ssh-ed25519-cert-v01@openssh.com",
    ECDSA: "ecdsa-sha2-nistp256-cert-v01@openssh.com",
}


def s(data: bytes | str) -> bytes:
    """A string of SSH."""
    raw = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(raw)) + raw


def mpint(value: int) -> bytes:
    return s(value.to_bytes(value.bit_length() // 8 + 1, "big"))


@dataclass
class Key:
    """A key of any of the types; what a security key says can be twisted."""

    type: str = SK
    application: str = "ssh:"
    flags: int = 5
    said: str | None = None
    private: Any = None

    def __post_init__(self) -> None:
        if self.private is None:
            elliptic = "ecdsa" in self.type
            self.private = (
                ec.generate_private_key(ec.SECP256R1()) if elliptic else ed25519.Ed25519PrivateKey.generate()
            )

    @property
    def numbers(self) -> bytes:
        """The members of the public key, as they are in it and in certificates."""
        public = self.private.public_key()
        if "ecdsa" in self.type:
            point = public.public_numbers()
            raw = b"\x04" + point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
            body = s("nistp256") + s(raw)
        else:
            body = s(public.public_bytes_raw())
        return body + (s(self.application) if self.type.startswith("sk-") else b"")

    @property
    def blob(self) -> bytes:
        return s(self.type) + self.numbers

    def sign(self, data: bytes) -> bytes:
        name = self.said or self.type
        if not self.type.startswith("sk-"):
            return s(name) + s(self._raw(data))
        head = hashlib.sha256(self.application.encode()).digest() + struct.pack(">BI", self.flags, 7)
        raw = self._raw(head + hashlib.sha256(data).digest())
        return s(name) + s(raw) + struct.pack(">BI", self.flags, 7)

    def _raw(self, data: bytes) -> bytes:
        if "ecdsa" not in self.type:
            return bytes(self.private.sign(data))
        r, second = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return mpint(r) + mpint(second)


@dataclass(frozen=True)
class Made:
    """What a certificate says."""

    key: Key
    authority: Key
    kind: int = 1
    key_id: str = "prd-ada/k3abcdefghijklmn"
    principals: tuple[str, ...] = ("room:debug+sudo", "prd-ada@room:debug+sudo")
    after: int = NOW - 60
    before: int = NOW + 3600
    options: tuple[tuple[str, str], ...] = (("verify-required", ""),)
    reserved: bytes = b""
    tail: bytes = b""
    signer: Key | None = None
    type: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> Made:
        return replace(self, **changes)

    @property
    def blob(self) -> bytes:
        options = b"".join(s(name) + s(value) for name, value in self.options)
        body = s(self.type or _CERTIFICATES[self.key.type]) + s(b"n" * 32) + self.key.numbers
        body += struct.pack(">QI", 17, self.kind) + s(self.key_id)
        body += s(b"".join(s(one) for one in self.principals))
        body += struct.pack(">QQ", self.after, self.before) + s(options) + s(s("permit-pty") + s(""))
        body += s(self.reserved) + s(self.authority.blob)
        return body + s((self.signer or self.authority).sign(body)) + self.tail


Answer = Callable[[bytes], bytes]


def holding(*pairs: tuple[bytes, Key]) -> Answer:
    """An agent that has these blobs, each with the key that signs for it."""

    def answer(message: bytes) -> bytes:
        if message[0] == 11:
            listed = b"".join(s(blob) + s("comment") for blob, _ in pairs)
            return s(b"\x0c" + struct.pack(">I", len(pairs)) + listed)
        size = int.from_bytes(message[1:5], "big")
        blob, rest = message[5 : 5 + size], message[5 + size :]
        data = rest[4 : 4 + int.from_bytes(rest[:4], "big")]
        signer = next((key for one, key in pairs if one == blob), None)
        return s(b"\x05") if signer is None else s(b"\x0e" + s(signer.sign(data)))

    return answer


@contextmanager
def agent(answer: Answer, seconds: float = 5.0) -> Iterator[Agent]:
    """A connection to an agent that answers so; bytes that are empty: it hangs up."""
    here, there = socket.socketpair()

    def run() -> None:
        with there:
            try:
                while head := there.recv(4):
                    message = there.recv(int.from_bytes(head, "big"))
                    said = answer(message)
                    if not said:
                        return
                    there.sendall(said)
            except OSError:
                return  # the other side has seen enough

    thread = threading.Thread(target=run)
    thread.start()
    with here:
        yield Agent(here, seconds)
    thread.join()
