"""What happens when a holder dies or is wedged, and to front ends that speak nonsense."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from immure.custody.keyholder import KeyHolder
from immure.custody.keyholder.errors import (
    HolderError,
    HolderGoneError,
    RefusedToSignError,
)
from immure.custody.keyholder.protocol import Frames, Op, encode, sign_body

from .conftest import KIDS
from .making import CHEAP, PIN, claims, holds, rules, wait_until_gone


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_holder_that_dies_is_started_again(path, kind):
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules())
        first = holder.pid
        os.kill(first, kind)
        wait_until_gone(holder)
        assert holds(holder, "a", holder.sign_token("a", claims()))
        assert holder.pid != first


def test_requests_in_flight_fail_clearly(path):
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules("RS256"))
        holder.find("a")
        threading.Timer(0.1, os.kill, [holder.pid, signal.SIGKILL]).start()
        with pytest.raises(HolderGoneError, match="was not given out"):
            holder.sign_tokens("a", [claims()] * 10_000)
        assert holds(holder, "a", holder.sign_token("a", claims()))


def test_a_wedged_holder_is_ended_in_time(path):
    with KeyHolder.create(path, [PIN], **(CHEAP | {"timeout": 0.5})) as holder:
        holder.generate("a", rules())
        first = holder.pid
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(HolderGoneError, match=r"within 0\.5 s, and was ended"):
            holder.sign_token("a", claims())
        assert holds(holder, "a", holder.sign_token("a", claims()))
        assert holder.pid != first


def test_restarts_are_bounded(path):
    with KeyHolder.create(path, [PIN], **CHEAP, restarts=2) as holder:
        holder.generate("a", rules())
        for _ in range(2):
            os.kill(holder.pid, signal.SIGKILL)
            wait_until_gone(holder)
            holder.sign_token("a", claims())
        os.kill(holder.pid, signal.SIGKILL)
        wait_until_gone(holder)
        with pytest.raises(HolderGoneError, match="died 2 times within a minute"):
            holder.sign_token("a", claims())


def test_a_holder_goes_with_its_front_end_and_when_closed(path):
    holder = KeyHolder.create(path, [PIN], **CHEAP)
    pid = holder.pid
    holder.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(HolderGoneError, match="is closed"):
        holder.list()
    holder.close()


def test_many_threads(holder):
    failed = []

    def work(kid: str) -> None:
        for number in range(30):
            token = holder.sign_token(kid, claims(sub=f"{kid}{number}"))
            if not holds(holder, kid, token):
                failed.append(token)

    threads = [threading.Thread(target=work, args=(kid,)) for kid in KIDS.values() for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\n\r\n" * 4,
        encode(Op.OK, 1, b""),
        encode(Op.SIGN, 1, b"\x09"),
        b"\0" * 64,
    ],
)
def test_a_front_end_that_speaks_nonsense(store, holder, data):
    """It loses its holder, or is told that it was not understood; and the holder never crashes."""
    holder.list()
    stream = holder._started.stream
    with suppress(OSError):
        stream.sendall(data)
    with suppress(HolderError):
        holder.list()
    os.kill(holder.pid, 0)
    assert holds(holder, "es", holder.sign_token("es", claims()))


def test_descriptors_that_nobody_asked_for(holder):
    holder.list()
    stream = holder._started.stream
    with open("/dev/null", "rb") as null:
        for _ in range(20):
            socket.send_fds(stream, [encode(Op.LIST, 1 << 40, b"")], [null.fileno()] * 3)
    assert holder.list()
    assert len(os.listdir(f"/proc/{holder.pid}/fd")) < 16


def test_answers_to_raw_requests(holder):
    """Below the library: an answer has the id of its question, and says which rule said no."""
    holder.list()
    bad = b"eyJhbGciOiJub25lIn0.e30"
    answer = holder._link.submit(Op.SIGN, sign_body("es", "token", bad))
    with pytest.raises(RefusedToSignError, match="the header names another key or algorithm"):
        answer.result(10)
    assert list(Frames().feed(b"")) == []


def test_a_fork_has_no_holder(holder):
    """It has the same socket, and would take away answers."""
    holder.list()
    child = os.fork()
    if child == 0:
        try:
            holder.sign_token("es", claims())
        except HolderGoneError as error:
            os._exit(7 if "forked" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert holds(holder, "es", holder.sign_token("es", claims()))


def test_refusals_are_counted(holder):
    before = holder.status()["refused"]
    holder.sign_token("es", claims())
    with pytest.raises(RefusedToSignError):
        holder.sign_token("es", claims(aud="https://other.example"))
    assert holder.status()["refused"] == before + 1
