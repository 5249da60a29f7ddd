"""The PIN of a token, given out while there is a live grant: by the kernel's word for who asks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from access.rooms import World, founded, policy_text
from custody import softhsm
from custody.conftest import token  # noqa: F401 - a fixture
from immure.access import NoGrantError
from immure.access.pin import Peer, PinDesk, fetch_pin, listening_socket, pin_descriptor, serve
from immure.errors import UsageError
from immure.secret import Secret
from servers.program import Program, directory

RULE = """
[[rule]]
resources = ["key:*"]
actions = ["use"]
level = "enhanced"
hours = 4
"""
ME = os.geteuid()
ASK = {"resource": "key:issuer-1", "actions": ["use"], "ticket": ""}


@pytest.fixture
def world(place: Path) -> Iterator[World]:
    made = founded(place / "room")
    request = made.sign(made.door.request_policy("prd-ada", policy_text(RULE))).id
    for account in ("prd-grace", "prd-edsger"):
        made.approve(request, account)
    yield made
    made.door.close()


@contextmanager
def serving(desk: PinDesk) -> Iterator[Path]:
    stop: list[int] = []
    with directory() as base, listening_socket(base / "pin") as listening:
        thread = threading.Thread(target=serve, args=(listening, desk, lambda: bool(stop)))
        thread.start()
        try:
            yield base / "pin"
        finally:
            stop.append(1)
            thread.join(10)
        assert not thread.is_alive()


def desk(world: World, **options: Any) -> PinDesk:
    options = {"users": frozenset({ME}), **options}
    return PinDesk(world.door, "key:issuer-1", Secret(b"24680"), **options)


def test_given_while_there_is_a_grant(world: World) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    told = lambda event, **facts: events.append((event, facts))  # noqa: E731
    with serving(desk(world, told=told)) as path:
        with pytest.raises(NoGrantError) as caught:
            fetch_pin(path)
        assert caught.value.rule == "no-grant"
        grant = world.granted(**ASK)
        assert fetch_pin(path).reveal() == b"24680"
        used = [one for one in world.door.log.entries() if one.kind == "access.used"]
        assert [dict(one.body)["document"]["detail"] for one in used] == [
            {"pin": "key:issuer-1", "uid": ME, "pid": os.getpid()}
        ]
        world.sign(world.door.begin_revocation("prd-grace", grant, "left the building"))
        with pytest.raises(NoGrantError) as caught:
            fetch_pin(path)
        assert caught.value.rule == "grant"
    assert [event for event, _ in events] == ["pin-refused", "pin-given", "pin-refused"]
    assert "24680" not in repr(events) + repr([dict(one.body) for one in world.door.log.entries()])


def _ended(world: World) -> None:
    world.clock.pass_(hours=3)


def _clock_back(world: World) -> None:
    world.clock.pass_(hours=-3)


def _read_only(world: World) -> None:
    world.again(signer=None)


def _nothing(_: World) -> None:
    pass


REFUSED: dict[str, tuple[Callable[[World], None], dict[str, Any], bytes]] = {
    "another user": (_nothing, {"users": frozenset({ME + 1})}, b"-user\n"),
    "somebody else's grant": (_nothing, {"account": "prd-grace"}, b"-no-grant\n"),
    "a grant that has ended": (_ended, {}, b"-expired\n"),
    "a clock that was put back": (_clock_back, {}, b"-broken\n"),
    "a log that cannot be written": (_read_only, {}, b"-broken\n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_not_given(world: World, case: str) -> None:
    change, options, answer = REFUSED[case]
    world.granted(**ASK)
    assert desk(world).answer(Peer(1, ME, ME)).startswith(b"+")
    change(world)
    assert desk(world, **options).answer(Peer(1, ME, ME)) == answer


def test_only_for_keys(world: World) -> None:
    with pytest.raises(UsageError, match="of a key"):
        PinDesk(world.door, "room:debug", Secret(b"1"), users=frozenset())


def test_sockets(tmp_path: Path) -> None:
    """What is left behind is taken away; what is in use, or something else, is not."""
    path = tmp_path / "pin"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listening_socket(path), pytest.raises(UsageError, match="already"), listening_socket(path):
        pass
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(UsageError, match="no socket"), listening_socket(path):
        pass
    assert path.read_text() == "a file"
    with pytest.raises(UsageError), listening_socket(tmp_path / ("x" * 200)):
        pass


ANSWERS = {
    "nothing": b"",
    "an empty PIN": b"+\n",
    "no end": b"+1234",
    "noise": b"1234\n",
    "endless": b"+" + b"1" * 5000,
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_that_are_no_pin(tmp_path: Path, case: str) -> None:
    path = tmp_path / "pin"
    with listening_socket(path) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    connection.sendall(ANSWERS[case])
                except OSError:
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UsageError, match=r"is no PIN|reset"):
            fetch_pin(path)
        thread.join(10)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        fetch_pin(tmp_path / "pin")


def test_a_peer_that_goes_away(world: World) -> None:
    """Others are answered after one that does not wait."""
    world.granted(**ASK)
    with serving(desk(world)) as path:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(str(path))
        assert fetch_pin(path).reveal() == b"24680"


def test_a_descriptor_in_use() -> None:
    with pytest.raises(UsageError, match="is in use"):
        pin_descriptor(Secret(b"1"), 1)


_SIGN = """
import sys
from immure.custody import open_signer
with open_signer(sys.argv[1]) as signer:
    print("signed" if signer.sign(b"m") else "")
"""


def test_a_real_token_is_opened_by_it(world: World, token: softhsm.SoftHsm) -> None:  # noqa: F811
    """SoftHSM: a program gets the PIN as a descriptor, and nowhere else; without a grant it is not run."""
    held = PinDesk(world.door, "key:issuer-1", Secret(softhsm.PIN.encode()), users=frozenset({ME}))
    uri = token.uri("p256", "&pin-source=/proc/self/fd/3")
    with serving(held) as path:
        command = [sys.executable, "-m", "immure", "access", "pin", "run", str(path), "--"]
        command += [sys.executable, "-c", _SIGN, uri]
        before = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert before.returncode == 1
        assert before.stderr == "immure: no PIN is given out: 'no-grant'\n"
        world.granted(**ASK)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, "signed\n"), done.stderr
        missing = [*command[:7], "--", "/nowhere/program"]
        none = subprocess.run(missing, capture_output=True, text=True, timeout=60, check=False)
        assert none.returncode == 2
        assert none.stderr == "immure: /nowhere/program: No such file or directory\n"


_WORKER = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]]).returncode)
"""


def test_a_file_for_programs_with_workers(
    world: World,
    token: softhsm.SoftHsm,  # noqa: F811
    tmp_path: Path,
) -> None:
    """A process of the program opens the token; the file is gone when the program has ended, and its exit
    code is handed on."""
    held = PinDesk(world.door, "key:issuer-1", Secret(softhsm.PIN.encode()), users=frozenset({ME}))
    world.granted(**ASK)
    file = tmp_path / "pin"
    uri = token.uri("p256", f"&pin-source={file}")
    with serving(held) as path:
        command = [sys.executable, "-m", "immure", "access", "pin", "run", str(path), "--file", str(file)]
        work = [sys.executable, "-c", _WORKER, _SIGN, uri]
        done = subprocess.run(
            [*command, "--", *work], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (0, "signed\n"), done.stderr
        assert not file.exists()
        fails = [sys.executable, "-c", f"import os, sys; sys.exit(7 + os.stat({str(file)!r}).st_mode % 64)"]
        assert subprocess.run([*command, "--", *fails], timeout=60, check=False).returncode == 7
        file.write_text("in use")
        taken = subprocess.run(
            [*command, "--", "true"], capture_output=True, text=True, timeout=60, check=False
        )
        assert (taken.returncode, taken.stderr) == (2, f"immure: {file}: File exists\n")
        assert file.read_text() == "in use"
        file.unlink()
        none = [*command, "--", "/nowhere/program"]
        assert subprocess.run(none, capture_output=True, timeout=60, check=False).returncode == 2
        assert not file.exists()
        killed = Program([*command, "--", "sleep", "60"], log=tmp_path / "log")
        with killed:
            while not file.exists() or not _children(killed.process.pid):
                assert killed.process.poll() is None
            killed.process.terminate()
            assert killed.process.wait(10) == 128 + 15
        assert not file.exists()


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
