"""Who crashed: as /proc says it, and whatever stands there."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.capture import peer
from immure.capture.crash import Crash, with_facts
from immure.capture.peer import PidfdInfo, crash_of, credentials, pidfd_info
from immure.errors import CaptureError

from .helpers import CRASH, MOMENT


def test_this_process() -> None:
    crash = with_facts(Crash(os.getpid()), clock=lambda: MOMENT)
    assert crash.comm == Path("/proc/self/comm").read_text().strip()
    assert crash.executable == os.readlink("/proc/self/exe")
    assert (crash.uid, crash.gid, crash.time) == (os.getuid(), os.getgid(), MOMENT)
    assert crash.resident_bytes is not None
    assert crash.resident_bytes > 1 << 20


def test_one_that_has_gone_stays_unknown() -> None:
    crash = with_facts(Crash(1 << 30, uid=5), clock=lambda: MOMENT)
    assert crash == Crash(1 << 30, uid=5, time=MOMENT)
    assert crash.label == f"?[{1 << 30}]"
    assert crash.name == f"core.unknown.{1 << 30}.20261125T010203Z"


@settings(deadline=None)
@given(comm=st.binary(max_size=700), status=st.binary(max_size=300))
def test_hostile_names(tmp_path_factory: pytest.TempPathFactory, comm: bytes, status: bytes) -> None:
    proc = tmp_path_factory.mktemp("proc")
    (proc / "7").mkdir()
    (proc / "7" / "comm").write_bytes(comm)
    (proc / "7" / "status").write_bytes(status)
    (proc / "7" / "exe").symlink_to("/x\x1b[2J")
    crash = with_facts(Crash(7), proc=proc)
    assert crash.comm.isprintable()
    assert len(crash.comm) <= 512
    assert "\x1b" not in crash.executable
    assert "/" not in crash.name
    assert crash.name.isprintable()


def test_numbers_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Uid:\tx\nGid:\nRssAnon:\t 12 kB\nVmSwap:\tmany\n")
    crash = with_facts(Crash(7), proc=tmp_path)
    assert (crash.uid, crash.gid, crash.resident_bytes) == (None, None, 12 << 10)


def test_what_is_known_already_is_not_asked_again() -> None:
    known = replace(CRASH, pid=os.getpid(), uid=12345)
    found = with_facts(known)
    assert (found.comm, found.uid, found.time) == (known.comm, 12345, known.time)


def connected(tmp_path: Path) -> tuple[socket.socket, socket.socket]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(tmp_path / "s"))
    server, _ = listener.accept()
    listener.close()
    return client, server


def test_somebody_who_is_not_being_dumped_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = connected(tmp_path)
    with client, server:
        assert credentials(server) == (os.getpid(), os.geteuid(), os.getegid())
        with pytest.raises(CaptureError, match="this process itself"):
            crash_of(server)
        monkeypatch.setattr(peer.os, "getpid", lambda: 1)  # as if somebody else had connected
        info = pidfd_info(server)
        words = "does not tell" if info is None else "is not being dumped"
        with pytest.raises(CaptureError, match=words):
            crash_of(server)


@pytest.mark.parametrize(
    ("info", "words", "privileged"),
    [
        (None, "does not tell", False),
        (PidfdInfo(7, 1, 2, 0), "is not being dumped", False),
        (PidfdInfo(7, 1, 2, 0b0010), "is not being dumped", False),  # skipped
        (PidfdInfo(7, 1, 2, 0b0101), None, False),
        (PidfdInfo(7, 1, 2, 0b1001), None, True),
    ],
)
def test_what_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, info: PidfdInfo | None, words: str | None, privileged: bool
) -> None:
    monkeypatch.setattr(peer, "credentials", lambda _: (7, 1, 2))
    monkeypatch.setattr(peer, "pidfd_info", lambda _: info)
    with socket.socket() as connection:
        if words is not None:
            with pytest.raises(CaptureError, match=words):
                crash_of(connection)
        else:
            assert crash_of(connection) == Crash(7, uid=1, gid=2, privileged=privileged)


def test_a_connection_from_elsewhere_is_nobody() -> None:
    with socket.socket(socket.AF_INET) as connection:
        assert credentials(connection)[0] == 0
        assert pidfd_info(connection) is None
