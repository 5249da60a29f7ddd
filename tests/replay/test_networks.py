"""Networks of rooms: what is inside does not reach what is outside, and can still be asked."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.replay import networks
from immure.replay.errors import ReplayError
from immure.replay.networks import Network, reaches
from immure.replay.options import Options, networks_kind
from immure.replay.program import LOOPBACK, Program

#: Says who asks whether it can call back, by the socket that it was handed.
_ASKED = """
import socket
from immure.replay.networks import reaches
with socket.socket(fileno=3) as listening:
    answer, _ = listening.accept()
    with answer:
        answer.sendall(b"reached" if reaches("127.0.0.1", int(answer.recv(9))) else b"no way")
"""


@pytest.fixture
def network() -> Iterator[Network]:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a network namespace takes root")
    made = Network.make()
    yield made
    made.close()


@pytest.fixture
def outside() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as made:
        yield made


def test_what_listens_outside_is_not_there(network: Network, outside: socket.socket):
    port = outside.getsockname()[1]
    assert not network.run(lambda: reaches(LOOPBACK, port))
    assert reaches(LOOPBACK, port)  # and we are where we were


def test_inside_the_loopback_is_up(network: Network):
    def work() -> bool:
        with socket.create_server((LOOPBACK, 0)) as listening:
            return reaches(LOOPBACK, listening.getsockname()[1])

    assert network.run(work)


def test_what_is_raised_inside_is_raised_outside(network: Network):
    with pytest.raises(ZeroDivisionError):
        network.run(lambda: 1 // 0)


def test_who_serves_inside_can_be_asked_and_calls_nobody(
    network: Network, outside: socket.socket, tmp_path: Path
):
    with socket.create_server((LOOPBACK, 0)) as asked:
        given = (network.descriptor, asked.fileno())
        words = [
            sys.executable,
            "-m",
            "immure.replay.entering",
            *map(str, given),
            sys.executable,
            "-c",
            _ASKED,
        ]
        with (
            Program(words, log=tmp_path / "log", directory=tmp_path, descriptors=given),
            socket.create_connection(asked.getsockname(), timeout=60) as caller,
        ):
            caller.sendall(str(outside.getsockname()[1]).encode())
            assert caller.recv(20) == b"no way"


def test_a_descriptor_that_is_no_network(tmp_path: Path):
    with (tmp_path / "file").open("w") as file, pytest.raises(OSError, match="Invalid argument"):
        networks._in_thread(lambda: networks.enter(file.fileno()))


@pytest.mark.parametrize(
    ("root", "can", "real", "parted", "said"),
    [
        (True, True, False, True, ""),
        (True, True, True, True, ""),
        (False, False, False, False, "only root can part them"),
        (False, False, True, False, "only root can part them"),
        (True, False, False, False, "no network namespace: Operation not permitted"),
        (True, False, True, None, "no network namespace: Operation not permitted"),
    ],
)
def test_whether_rooms_are_parted(
    root: bool, can: bool, real: bool, parted: bool | None, said: str, monkeypatch: pytest.MonkeyPatch
):
    def make() -> int:
        if not can:
            raise PermissionError(1, "Operation not permitted")
        return os.open(os.devnull, os.O_RDONLY)

    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(networks, "_unshared", make)
    if parted is None:
        with pytest.raises(ReplayError, match=said):
            networks_kind(Options(require_real=real))
        return
    is_parted, words = networks_kind(Options(require_real=real))
    assert is_parted is parted
    assert said in " ".join(words)
    assert bool(words) == bool(said)
