"""A TPM that answers as none should: with an error that says so, and never with what was not said."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from immure.access.tpm import device
from immure.access.tpm.device import OWNER, Tpm, TpmError
from immure.access.tpm.enrolling import STORAGE
from immure.errors import UsageError


@contextmanager
def saying(path: Path, *answers: bytes) -> Iterator[list[int]]:
    """A socket at which each command gets the next of these answers; how many commands came."""
    came: list[int] = []

    def run(listening: socket.socket) -> None:
        with suppress(OSError):
            client, _ = listening.accept()
            with client:
                for answer in answers:
                    if not client.recv(4096):
                        return
                    came.append(1)
                    client.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(10)
        thread = threading.Thread(target=run, args=(listening,))
        thread.start()
        yield came
    thread.join()


def framed(body: bytes, code: int = 0, tag: int = 0x8002) -> bytes:
    return struct.pack(">HII", tag, 10 + len(body), code) + body


ANSWERS = {
    "hangs up": ((b"",), "has hung up"),
    "a part of a head": ((b"\x80\x02\0\0",), "has hung up"),
    "less than it says": ((struct.pack(">HII", 0x8002, 99, 0),), "has hung up"),
    "more than there can be": ((struct.pack(">HII", 0x8002, 1 << 30, 0) + bytes(9000),), "has hung up"),
    "no": ((framed(b"", 0x9A2),), "refuses command 0x131: 0x9a2"),
    "nothing": ((framed(b""),), "ends too early"),
    "a handle alone": ((framed(b"\x80\0\0\0"),), "ends too early"),
    "a length that lies": ((framed(b"\x80\0\0\0" + b"\xff" * 8),), "ends too early"),
    "always later": ((framed(b"", 0x922),) * 30, "refuses command 0x131: 0x922"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_TURNS", 3)
    answers, words = ANSWERS[case]
    with (
        saying(tmp_path / "tpm", *answers),
        Tpm(tmp_path / "tpm") as tpm,
        pytest.raises(TpmError, match=words),
    ):
        tpm.create_primary(OWNER, STORAGE)


def test_one_that_is_busy_at_first(tmp_path: Path) -> None:
    """TPM_RC_RETRY is no refusal: it has to be asked again."""
    handle = struct.pack(">I", 0x80000001)
    public = framed(handle + struct.pack(">I", 2 + 3) + b"\0\3abc" + bytes(5))
    busy = framed(b"", 0x922, 0x8001)
    with saying(tmp_path / "tpm", busy, busy, public) as came, Tpm(tmp_path / "tpm") as tpm:
        assert tpm.create_primary(OWNER, STORAGE) == (0x80000001, b"abc")
    assert len(came) == 3


def test_one_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_SECONDS", 1.0)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "tpm"))
        listening.listen()
        with Tpm(tmp_path / "tpm") as tpm, pytest.raises(TpmError, match="does not answer"):
            tpm.create_primary(OWNER, STORAGE)


def test_no_devices(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for name in ("nowhere", "directory"):
        with pytest.raises(UsageError, match=r"No such file|Is a directory"):
            Tpm(tmp_path / name)
