"""Starting a key holder: a new program, not a copy of this one, given nothing but a socket and the PINs."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import zlib
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from immure.custody.keyholder.errors import HolderError, HolderFileError, HolderGoneError
from immure.custody.keyholder.pins import Pins
from immure.custody.keyholder.protocol import Frame, Frames, Op, decode_error, from_json
from immure.custody.keyholder.sealed import COST

#: Users whom systemd gives out for a while (its DynamicUser=), and so nobody else has.
_DYNAMIC: Final = (61184, 65519)
#: Bytes of secret memory to try for: with scrypt's; and what Linux lets everybody have (8 MiB in all).
_ARENA: Final = (96 << 20, 7 << 20, 5 << 20)
_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Options:
    """How a holder is started.

    Attributes:
        path: of the key file.
        role: ``sign``, or ``manage`` for new rules, imports and backups.
        threads: that sign; by default as many as there are processors.
        check: whether each signature is verified before it is let out.
        guard: whether another process keeps debuggers out.
        timeout: seconds in which an answer must come.
        restarts: how often a holder that died is started again, within a minute.
        allow: users from whom a listening holder takes connections.
    """

    path: Path
    role: str = "sign"
    threads: int | None = None
    check: bool = True
    guard: bool = True
    timeout: float = 30.0
    restarts: int = 5
    cost: tuple[int, int, int] = field(default_factory=lambda: COST)
    allow: frozenset[int] = field(default_factory=frozenset)


@dataclass
class Started:
    """A holder that runs and has its keys open; ``process`` is None for one that somebody else started."""

    process: subprocess.Popen[bytes] | None
    stream: socket.socket
    greeting: dict[str, Any]

    def end(self, seconds: float = 5.0) -> None:
        """Let it write its counts and go; kill it if it does not."""
        with suppress(OSError):
            self.stream.shutdown(socket.SHUT_WR)
        try:
            if self.process is not None:
                self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self.stream.close()

    def kill(self) -> None:
        """End it at once, if it is ours."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        """The process; raises HolderGoneError if it is not ours."""
        if self.process is None:
            raise HolderGoneError("somebody else started this key holder")
        return self.process.pid


@dataclass(frozen=True)
class Backup:
    """A backup to begin from, and its PINs."""

    path: Path
    pins: Pins


def start(
    options: Options,
    pins: Pins,
    *,
    create: bool = False,
    restore: Backup | None = None,
    listener: socket.socket | None = None,
) -> Started:
    """Start a holder, and wait until its keys are open.

    Raises:
        HolderPinError, HolderBusyError, HolderFileError, HolderFaultError: as the holder says.
        HolderGoneError: it ended, or does not answer, and said nothing.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ExitStack() as stack:
        stack.enter_context(theirs)
        settings: dict[str, Any] = _settings(options) | {
            "socket": theirs.fileno(),
            "pins": stack.enter_context(pins.handles()),
            "create": create,
            "restore": None if restore is None else _restore(restore, stack),
            "listen": None if listener is None else listener.fileno(),
        }
        process = _spawn(settings)
    try:
        greeting = read_greeting(ours, str(options.path))
    except HolderError:
        ours.close()
        process.kill()
        process.wait()
        raise
    return Started(process, ours, greeting)


def _settings(options: Options) -> dict[str, Any]:
    native = find_spec("immure.custody.keyholder._native")
    backend = find_spec("_cffi_backend")
    if native is None or native.origin is None or backend is None or backend.origin is None:
        raise HolderGoneError("the native half was not built; see docs/explanation/key-holder.md")
    root = Path(__file__).parents[3]
    threads = options.threads or len(os.sched_getaffinity(0))
    return {
        "paths": [str(root), str(Path(backend.origin).parent)],
        "native": native.origin,
        "arena": _ARENA,
        "path": str(options.path.absolute()),
        "role": options.role,
        "threads": threads,
        "workers": min(threads, 16 if os.geteuid() == 0 else 3),
        "check": options.check,
        "guard": options.guard,
        "cost": list(options.cost),
        "allow": sorted(options.allow),
        "starter": os.geteuid(),
    }


def _spawn(settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    handles = [settings["socket"], *settings["pins"]]
    if settings["restore"] is not None:
        handles += [settings["restore"]["handle"], *settings["restore"]["pins"]]
    if settings["listen"] is not None:
        handles.append(settings["listen"])
    boot = str(Path(__file__).with_name("boot.py"))
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
            [sys.executable, "-I", "-S", "-B", boot, json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=handles,
        )
    except OSError as error:
        raise HolderGoneError(f"cannot be started: {error.strerror}", path=settings["path"]) from error


def _restore(backup: Backup, stack: ExitStack) -> dict[str, Any]:
    try:
        handle = os.open(backup.path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be opened"
        raise HolderFileError(reason, path=str(backup.path)) from error
    stack.callback(os.close, handle)
    pins = stack.enter_context(backup.pins.handles())
    return {"handle": handle, "path": str(backup.path), "pins": pins}


def read_greeting(stream: socket.socket, path: str, seconds: float = _SECONDS) -> dict[str, Any]:
    """What the holder says first: how it is protected, or why it does not serve."""
    frames, first = Frames(), None
    stream.settimeout(seconds)
    try:
        while first is None:
            data = stream.recv(65536)
            if not data:
                raise HolderGoneError("the key holder ended before it said anything", path=path)
            first = next(iter(frames.feed(data)), None)
    except OSError as error:
        raise HolderGoneError(f"the key holder does not answer: {error}", path=path) from error
    stream.settimeout(None)
    return _said(first, path)


def _said(frame: Frame, path: str) -> dict[str, Any]:
    if frame.op is Op.OK:
        return from_json(frame.body)
    raise decode_error(frame.body, path)


def make_directory(path: Path, user: str | None) -> None:
    """The directory of a new key file, which belongs to the holder's user.

    Args:
        user: name or number of the user, as root; None for one of its own, from those that systemd gives out.

    Raises:
        HolderFileError: it cannot be made, or belongs to root already, and root was not asked for.
    """
    directory = path.absolute().parent
    try:
        if not directory.exists():
            directory.mkdir(mode=0o700)
            if os.geteuid() == 0:
                uid = _uid(user, directory)
                os.chown(directory, uid, uid)
        elif os.geteuid() == 0 and directory.stat().st_uid == 0 and user not in ("root", "0"):
            raise HolderFileError(
                "the directory belongs to root, so the holder would run as root; name one that is not there"
                " yet, or give root as its user",
                path=str(directory),
            )
    except OSError as error:
        raise HolderFileError(error.strerror or "cannot be made", path=str(directory)) from error


def _uid(user: str | None, directory: Path) -> int:
    if user is not None:
        try:
            return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        except KeyError:
            raise HolderFileError(f"there is no user {user!r}", path=str(directory)) from None
    first, last = _DYNAMIC
    taken: Sequence[int] = [entry.pw_uid for entry in pwd.getpwall()]
    begin = zlib.crc32(os.fsencode(directory)) % (last - first + 1)
    numbers = (first + (begin + step) % (last - first + 1) for step in range(last - first + 1))
    return next(uid for uid in numbers if uid not in taken)
