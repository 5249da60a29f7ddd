"""Feeds certificates of OpenSSH, signatures and answers to what lets somebody become root: nobody does."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from driver import run

from immure.access.errors import DeniedError
from immure.access.sudo.admitting import Asker, Wanted, admit
from immure.access.sudo.certificate import is_certificate, parse_certificate
from immure.access.sudo.public import Public, parse_public, verify
from immure.access.sudo.wire import Reader
from immure.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from datetime import UTC, datetime

from access.sudo.pocket import ECDSA, NOW, PLAIN, SK_ECDSA, Key, Made, s

SECONDS = 1.0
AUTHORITY, KEY, CURVE = Key(PLAIN), Key(), Key(SK_ECDSA)
GOOD = Made(KEY, AUTHORITY)
KEYS = [parse_public(one.blob) for one in (KEY, CURVE, Key(ECDSA), AUTHORITY)]
WANTED = Wanted(frozenset({AUTHORITY.blob}), "room:debug")
ASKER = Asker("prd-ada", "sudo")
AT = datetime.fromtimestamp(NOW, UTC)
DATA = b"a message"
SEEDS = [
    GOOD.blob,
    GOOD.but(key=CURVE, authority=Key(ECDSA)).blob,
    GOOD.but(options=(("source-address", "10.0.0.0/8"), ("verify-required", ""))).blob,
    KEY.blob,
    KEY.sign(DATA),
    CURVE.sign(DATA),
    b"\x0c\x00\x00\x00\x01" + s(GOOD.blob) + s("comment"),
]


class _Agent:
    """Has one key, or says something else; signs as the right one does."""

    def __init__(self, blob: bytes, signature: bytes | None) -> None:
        self.blob, self.signature = blob, signature

    def identities(self) -> list[bytes]:
        return [self.blob]

    def sign(self, _: bytes, data: bytes) -> bytes:
        return KEY.sign(data) if self.signature is None else self.signature


def check(data: bytes) -> None:
    """An error that is ours; and nobody is let in by other bytes than those that were signed."""
    begun = time.thread_time()
    _parsed(data)
    for agent in (_Agent(data, None), _Agent(GOOD.blob, data)):
        try:
            admit(WANTED, ASKER, agent, clock=lambda: AT)  # type: ignore[arg-type]
        except DeniedError:
            continue
        assert agent.blob == GOOD.blob, "let in by a certificate that nobody has signed"
        assert agent.signature is None, "let in by a signature that nobody has made"
    assert time.thread_time() - begun < SECONDS


def _parsed(data: bytes) -> None:
    reader = Reader(data, "a list")
    try:
        while reader.more:
            reader.string()
    except InputError:
        pass
    try:
        key: Public | None = parse_public(data)
    except InputError:
        key = None
    for one in [*KEYS, *([] if key is None else [key])]:
        try:
            verify(one, data, b"another message")
        except InputError:
            continue
        raise AssertionError("a signature that nobody has made")
    if is_certificate(data):
        try:
            parse_certificate(data).check_signature()
        except InputError:
            return


if __name__ == "__main__":
    run(check, SEEDS)
