"""A token in a process of its own: it keeps keys that others can use, and ends with us."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.registry.scope import KeyScope
from immure.replay.errors import ReplayError
from immure.replay.program import is_alive
from immure.replay.soft_token import PLACE, SoftToken, why_not
from immure.signing.pkcs11_keys import Pkcs11Keys
from immure.signing.rotation import Plan

LACKS = why_not("/tmp")
PIN = "correct horse 7"


@pytest.fixture
def token(tmp_path: Path) -> Iterator[SoftToken]:
    if LACKS is not None:
        pytest.skip(f"NOT TESTED: {LACKS}")
    (tmp_path / "pin").touch(mode=0o600)
    (tmp_path / "pin").write_text(PIN + "\n", encoding="ascii")
    made = SoftToken(tmp_path, tmp_path / "pin")
    made.start()
    yield made
    made.stop()


def test_keys_are_made_and_used_there(
    token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in token.environment.items():
        monkeypatch.setenv(name, value)
    keys = Pkcs11Keys(token.custody)
    assert keys.warning is None  # the library of the token is not in this process

    async def use() -> str:
        await keys.start()
        keys.generate("k1", Plan(KeyScope("https://login.example"), "ES256", "k"))
        signed = await keys.sign_token("k1", {"alg": "ES256", "kid": "k1"}, {"sub": "ada"})
        await keys.aclose()
        return signed

    assert asyncio.run(use()).count(".") == 2
    assert any(one.suffix == ".object" for one in (tmp_path / PLACE).rglob("*"))
    maps = Path(f"/proc/{os.getpid()}/maps").read_text(encoding="utf-8")
    assert "p11-kit-client" in maps
    assert "libsofthsm2" not in maps


def test_its_process_ends_with_it(token: SoftToken) -> None:
    program = token._program
    assert program is not None
    assert is_alive(program.process.pid)
    token.stop()
    end = time.monotonic() + 20
    while is_alive(program.process.pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_pin_that_softhsm_does_not_take_is_not_said(tmp_path: Path) -> None:
    if LACKS is not None:
        pytest.skip(f"NOT TESTED: {LACKS}")
    (tmp_path / "pin").write_text("abc\n", encoding="ascii")  # too short
    with pytest.raises(ReplayError, match="softhsm2-util made no token") as caught:
        SoftToken(tmp_path, tmp_path / "pin").start()
    assert "abc" not in str(caught.value)
