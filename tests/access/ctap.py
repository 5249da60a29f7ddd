"""A security key on the wire: CTAP 2 over a device that is none, for what a terminal does with a key."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.ctap import CtapDevice, CtapError
from fido2.hid import CAPABILITY, CTAPHID

from access.authenticator import AT, Attester, Authenticator, Credential, Made

_MAKE, _GET, _INFO = 0x01, 0x02, 0x04


@dataclass
class Key(CtapDevice):
    """A key with a fingerprint reader, whose credentials are those of an authenticator. ``refuses`` is the
    status with which it answers instead."""

    authenticator: Authenticator = field(default_factory=Authenticator)
    refuses: int = 0
    uv: bool = True

    @property
    def capabilities(self) -> int:
        return CAPABILITY.CBOR

    @classmethod
    def list_devices(cls) -> Iterator[CtapDevice]:
        return iter(())

    def call(self, cmd: int, data: bytes = b"", event: Any = None, on_keepalive: Any = None) -> bytes:
        assert cmd == CTAPHID.CBOR
        body = cbor.decode(data[1:]) if len(data) > 1 else {}
        answer = {_INFO: self.info, _MAKE: self.make, _GET: self.get}.get(data[0])
        if answer is None:
            return bytes([CtapError.ERR.INVALID_COMMAND])
        if self.refuses and data[0] != _INFO:
            return bytes([self.refuses])
        try:
            return b"\0" + cbor.encode(answer(body))
        except CtapError as error:
            return bytes([error.code])

    def info(self, _: Any) -> dict[int, Any]:
        options = {"rk": False, "up": True, "uv": self.uv, "plat": False}
        algorithms = [{"alg": -7, "type": "public-key"}]
        return {1: ["FIDO_2_0"], 3: self.authenticator.aaguid, 4: options, 6: [2], 10: algorithms}

    def make(self, body: Any) -> dict[int, Any]:
        if body.get(5) and {one["id"] for one in body[5]} & set(self.authenticator.credentials):
            raise CtapError(CtapError.ERR.CREDENTIAL_EXCLUDED)
        credential = Credential(os.urandom(32), ec.generate_private_key(ec.SECP256R1()), body[3]["id"])
        self.authenticator.credentials[credential.id] = credential
        data = self._data(body[2]["id"], credential, self.authenticator.flags | AT)
        attester: Attester = self.authenticator.attester
        signature = _sign(attester.key, data + body[1])
        return {1: "packed", 2: data, 3: {"alg": -7, "sig": signature, "x5c": attester.chain}}

    def get(self, body: Any) -> dict[int, Any]:
        for one in body[3]:
            credential = self.authenticator.credentials.get(one["id"])
            if credential is not None:
                credential.counter += 1
                data = self._data(body[1], credential, self.authenticator.flags)
                return {
                    1: {"id": credential.id, "type": "public-key"},
                    2: data,
                    3: _sign(credential.key, data + body[2]),
                }
        raise CtapError(CtapError.ERR.NO_CREDENTIALS)

    def _data(self, rp_id: str, credential: Credential, flags: int) -> bytes:
        head = hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, credential.counter)
        if flags & AT:
            head += self.authenticator.aaguid + struct.pack(">H", len(credential.id)) + credential.id
            head += cbor.encode(credential.cose)
        return head


def _sign(key: Any, message: bytes) -> bytes:
    return Made.sign(_NO_SIGNATURE, key, message)


class _NoSignature:
    signature = None


_NO_SIGNATURE: Any = _NoSignature()
