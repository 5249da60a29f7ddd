"""One holder for several front ends, and who is let in."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time

import pytest

from immure.custody.keyholder import AsyncKeyHolder, KeyHolder, launch
from immure.custody.keyholder.errors import (
    HolderBusyError,
    HolderError,
    HolderFileError,
    HolderGoneError,
    HolderRoleError,
    RefusedToSignError,
)
from immure.custody.keyholder.launch import Options, start
from immure.custody.keyholder.pins import Pins
from immure.custody.keyholder.sharing import listening

from .making import CHEAP, ENTERPRISE, PIN, claims, rules


@pytest.fixture
def shared(copied, tmp_path):
    place = tmp_path / "holder.socket"
    with listening(place) as listener:
        options = Options(copied, **CHEAP, allow=frozenset({os.geteuid()}))
        started = start(options, Pins([PIN]), listener=listener)
        yield place
        started.end()


def test_several_front_ends(shared):
    with KeyHolder.connect(shared, uid=os.geteuid()) as one, KeyHolder.connect(shared) as two:
        assert set(one.list()) == set(two.list())
        assert one.sign_token("es", claims())
        before = one.list()["es"].signed
        assert two.sign_token("es", claims())
        assert one.list()["es"].signed == before + 1
        with pytest.raises(RefusedToSignError):
            one.sign_token("es", claims(iss=ENTERPRISE))
        with pytest.raises(HolderRoleError):
            two.generate("new", rules())
        one.close()
        assert two.sign_token("es", claims())
        with pytest.raises(HolderGoneError, match="somebody else started"):
            two.pid  # noqa: B018


def test_from_asyncio(shared):
    async def work():
        async with await AsyncKeyHolder.connect(shared) as holder:
            return await asyncio.gather(*(holder.sign_token("ed", claims()) for _ in range(100)))

    assert len(asyncio.run(work())) == 100


def test_nonsense_on_one_connection_is_not_seen_on_another(shared):
    with KeyHolder.connect(shared) as holder:
        for _ in range(5):
            with socket.socket(socket.AF_UNIX) as stream:
                stream.connect(str(shared))
                stream.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        assert holder.sign_token("es", claims())


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can be another user")
def test_another_user_is_not_let_in(shared):
    shared.parent.chmod(0o755)
    program = (
        "import os, socket, sys\n"
        "stream = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(sys.argv[1])\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "stream.connect('holder.socket')\n"
        "print(stream.recv(10))\n"
    )
    command = [sys.executable, "-c", program, str(shared.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "b''"


def test_where_nobody_listens(shared, tmp_path):
    with pytest.raises(HolderGoneError, match="no key holder listens there"):
        KeyHolder.connect(tmp_path / "none")
    with pytest.raises(HolderGoneError, match="another user than 4242"):
        KeyHolder.connect(shared, uid=4242)
    with pytest.raises(HolderBusyError, match="somebody listens there"), listening(shared):
        pass
    (tmp_path / "file").write_text("mine")
    with pytest.raises(HolderFileError, match="cannot be listened at"), listening(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_the_name_of_a_dead_holder_is_taken_over(tmp_path):
    place = tmp_path / "holder.socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    with listening(place):
        assert place.is_socket()
    assert not place.exists()


def test_it_ends_with_who_started_it(copied, tmp_path):
    with listening(tmp_path / "s") as listener:
        options = Options(copied, **CHEAP, allow=frozenset({os.geteuid()}))
        started = start(options, Pins([PIN]), listener=listener)
        listener.close()
        with KeyHolder.connect(tmp_path / "s") as holder:
            holder.list()
            started.end()
            while holder._link.is_open:
                time.sleep(0.005)
            with pytest.raises(HolderGoneError, match="no key holder listens there: Connection refused"):
                holder.list()


def made_by_another() -> tuple[socket.socket, socket.socket]:
    """A pair of sockets that a fork made: the kernel remembers who."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        pair = socket.socketpair()
        socket.send_fds(theirs, [b"x"], [one.fileno() for one in pair])
        theirs.recv(1)
        os._exit(0)
    _, handles, _, _ = socket.recv_fds(ours, 1, 2)
    ours.send(b"x")
    os.waitpid(child, 0)
    return socket.socket(fileno=handles[0]), socket.socket(fileno=handles[1])


def test_a_socket_that_another_process_made_is_not_served(copied, tmp_path):
    first, second = made_by_another()
    with first, second, (tmp_path / "pin").open("w+") as pin:
        pin.write(PIN)
        pin.flush()
        more = {
            "socket": second.fileno(),
            "pins": [pin.fileno()],
            "create": False,
            "restore": None,
            "listen": None,
        }
        process = launch._spawn(launch._settings(Options(copied, **CHEAP)) | more)
        with pytest.raises(HolderError, match="not the process that started the holder"):
            launch.read_greeting(first, "keys.sealed")
        assert process.wait(20) == 3
