"""Feeds broken messages, claims and key files to the holder's desk; what it would sign is read once more.

And broken key URIs, and answers of a Vault, to the other kinds of custody.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

from driver import run

from immure.clock import now
from immure.custody.awskms_uri import parse_kms_uri
from immure.custody.keyholder.asking import b64, generate_body, succeed_body
from immure.custody.keyholder.cabinet import Cabinet
from immure.custody.keyholder.desk import MANAGE, SIGN, Desk
from immure.custody.keyholder.errors import HolderError
from immure.custody.keyholder.held_key import HeldKey
from immure.custody.keyholder.key_file import KeyFile
from immure.custody.keyholder.native import Native
from immure.custody.keyholder.protocol import Frames, Op, encode, sign_body, to_json
from immure.custody.keyholder.sealed import Seal, parse_body, parse_sealed, whole_file, write_body
from immure.custody.keyholder.signer import parse_keyholder_uri
from immure.custody.pkcs11_uri import parse_pkcs11_uri
from immure.custody.transit import Transit
from immure.custody.vault_uri import parse_vault_uri
from immure.errors import SignerError
from immure.registry.record import StateChange
from immure.registry.state import KeyState

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import contextlib

from custody.keyholder.making import API, CONSUMER, claims, rules

SPKI = bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)


URIS: dict[bytes, Any] = {
    b"keyhold": parse_keyholder_uri,
    b"pkcs11:": parse_pkcs11_uri,
    b"awskms:": parse_kms_uri,
    b"vault:t": parse_vault_uri,
}
TRANSIT = Transit(parse_vault_uri("vault:t/k?address=https://v.example&token-source=/t"), "vault:t/k")


class Nobody(Native):
    """A native half that signs nothing, and notes what it was asked to sign."""

    def __init__(self) -> None:
        self.signed: list[bytes] = []

    def sign(self, number: int, slot: int, algorithm: Any, message: bytes) -> None:
        self.signed.append(message)

    def generate(self, number: int, slot: int, algorithm: Any, bits: int) -> None:
        pass

    def room(self) -> int:
        return 0

    def drop(self, slot: int) -> None:
        pass


class Nowhere(KeyFile):
    """A key file that is never written."""

    def __init__(self) -> None:
        self.path = "fuzz"


class Kept(Cabinet):
    """A cabinet that does not write."""

    def save(self) -> None:
        self.version += 1


def held(kid: str, **changes: Any) -> HeldKey:
    made = StateChange(KeyState.ACTIVE, now(), "made")
    return HeldKey(kid, rules("EdDSA", **changes), SPKI, "generated", (made,), b"x" * 76, slot=1)


def check(data: bytes) -> None:
    """Errors of ours, or answers; and nothing out of scope is ever handed to the native half."""
    try:
        if data[:7] in URIS:
            URIS[data[:7]](data.decode("latin-1"))
        elif data.startswith(b'{"data"'):
            _describe(data)
        elif data.startswith(b"{"):
            parse_body(parse_sealed(data, "fuzz").body, "fuzz")
        else:
            _serve(data)
    except SignerError:
        pass


def _describe(data: bytes) -> None:
    """A key, as an engine describes it: whatever is read has public halves that are points and moduli."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return
    found = TRANSIT._described(answer)
    assert found.latest in found.public
    assert all(public.thumbprint for public in found.public.values())


def _serve(data: bytes) -> None:
    native = Nobody()
    cabinet = Kept(native, Nowhere())
    cabinet._keep(held("k"))
    cabinet._keep(held("s", purposes=frozenset({"statement", "note"})))
    role = MANAGE if data[-1:] == b"m" else SIGN
    desk = Desk(cabinet, native, role, {}, now)
    before = set(cabinet.keys)
    for frame in Frames().feed(data):
        with contextlib.suppress(HolderError):
            desk.answer(frame, [])
    assert role == MANAGE or set(cabinet.keys) == before
    for message in native.signed:
        _check_signed(message)


def _check_signed(message: bytes) -> None:
    if message.startswith(b"DSSEv1 ") or message.endswith(b"\n"):
        return
    payload = message.split(b".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    assert said["iss"] == CONSUMER
    assert said["aud"] in (API, [API])
    assert abs(said["iat"] - time.time()) < 400


def _token(**changes: Any) -> bytes:
    head = b64(json.dumps({"alg": "EdDSA", "kid": "k"}).encode())
    return head + b"." + b64(json.dumps(claims(exp=int(time.time()) + 80_000, **changes)).encode())


if __name__ == "__main__":
    seal = Seal((1 << 10, 8, 1), (bytes(16),))
    frames = [
        encode(Op.SIGN, 1, sign_body("k", "token", _token())),
        encode(Op.SIGN, 2, sign_body("k", "token", _token(iss="https://login.example/enterprise"))),
        encode(Op.SIGN, 3, sign_body("s", "statement", b"DSSEv1 1 a 1 b")) + encode(Op.LIST, 4, b""),
        encode(Op.GENERATE, 5, generate_body("n", rules(), 2048, KeyState.ACTIVE)) + b"m",
        encode(Op.SUCCEED, 6, succeed_body("n", "k", 2048, KeyState.PRE_ACTIVE, now(), now())),
        encode(Op.SET_STATE, 7, to_json({"kid": "k", "state": "suspended", "reason": "?"})),
    ]
    file = whole_file(seal.header() + b"\n" + write_body(1, [held("k")]), bytes(32))
    public = base64.b64encode(SPKI[-32:]).decode()
    described = {"data": {"type": "ed25519", "keys": {"1": {"public_key": public}}, "latest_version": 1}}
    others = [
        b"keyholder:/a?key=k&purpose=note&pin-source=p",
        b"pkcs11:token=a;object=b;id=%01?module-name=m&pin-source=/p&alg=RS256",
        b"awskms:alias/a?region=eu-central-1&profile=p&endpoint=https://k.example&alg=RS256",
        b"vault:t/k?address=https://v.example:8200&token-source=/t&ca=/c&namespace=n&version=2",
        json.dumps(described).encode(),
    ]
    run(check, [*frames, b"".join(frames), file, *others])
