"""The holder's process: what it gives up, in which order, before it opens the key file and serves.

1. arena and libcrypto (:mod:`~immure.custody.keyholder.boot`)
2. the directory of the key file, its lock
3. the guard, which holds the place of a debugger
4. root's privileges, for the user to whom the directory belongs
5. dumps, new privileges, other files; then the threads start, and the filter of system calls
6. only then the PIN is read, and the keys are opened
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from immure import clock
from immure.custody.keyholder.cabinet import Cabinet
from immure.custody.keyholder.desk import Desk
from immure.custody.keyholder.errors import HolderError, HolderFaultError
from immure.custody.keyholder.key_file import KeyFile
from immure.custody.keyholder.native import Native
from immure.custody.keyholder.protocol import Op, encode, encode_error, to_json
from immure.custody.keyholder.sealed import MOST_BYTES
from immure.custody.keyholder.serving import Serving, close_all, peer_of

#: Bytes that scrypt may need, and that root therefore lets the holder lock.
_LOCKABLE: Final = 512 << 20
_MOST_HANDLES: Final = 256
_MEMORY: Final = {1: "memfd_secret", 2: "locked", 3: "neither secret nor locked"}


def run(settings: Mapping[str, Any], module: Any, memory: int, broken: str) -> int:
    """Be the holder; the exit code. What goes wrong on the way is said to the front end, on the socket."""
    stream = socket.socket(fileno=settings["socket"])
    native = Native(module)
    try:
        if broken:
            raise HolderFaultError(broken)
        serving, cabinet, greeting = _start(settings, native, memory, stream)
    except HolderError as error:
        stream.sendall(encode_error(0, error))
        return 3
    stream.sendall(encode(Op.OK, 0, to_json(greeting)))
    serving.run(stream)
    try:
        cabinet.close()
    except HolderError as error:
        print(f"immure key holder: {error}", file=sys.stderr)
        return 3
    return 0


def _start(
    settings: Mapping[str, Any], native: Native, memory: int, stream: socket.socket
) -> tuple[Serving, Cabinet, dict[str, Any]]:
    status: dict[str, Any] = {"library": native.library(), "pid": os.getpid()}
    protections: dict[str, str] = {"memory": _MEMORY[memory]}
    _check_peer(stream)
    file = KeyFile(settings["path"])
    _give_up(settings, native, file, protections)
    event = native.workers(settings["workers"], settings["check"])
    listener = None if settings["listen"] is None else socket.socket(fileno=settings["listen"])
    cabinet = Cabinet(native, file)
    role = settings["role"]
    desk = Desk(cabinet, native, role, status, clock.now)
    serving = Serving(desk, native, event, listener)
    serving.allow(settings["allow"])
    protections["system_calls"] = _try(native.seccomp, "filtered")
    status |= {
        "role": role,
        "protections": protections,
        "checks_signatures": settings["check"],
        "threads": settings["workers"],
    }
    _open(settings, cabinet)
    spilled = "not in secret memory, for a moment; kept out of dumps, wiped"
    protections["pin"] = spilled if native.spilled() else "stretched in the same memory"
    return serving, cabinet, status | {"keys": len(cabinet.keys)}


def _check_peer(stream: socket.socket) -> None:
    """The other end is the process that started us."""
    pid, _ = peer_of(stream)
    if pid != os.getppid():
        raise HolderFaultError("the other end of the socket is not the process that started the holder")


def _give_up(settings: Mapping[str, Any], native: Native, file: KeyFile, protections: dict[str, str]) -> None:
    os.umask(0o077)
    uid, gid = file.owner if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    if os.geteuid() == 0:
        with suppress(ValueError, OSError):  # in a container root may not; the arena is there already
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (_LOCKABLE, _LOCKABLE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_HANDLES, _MOST_HANDLES))
    if settings["guard"]:
        protections["debuggers"] = _try(lambda: native.guard(uid, gid), "kept out by the guard")
    else:
        protections["debuggers"] = "not kept out: the guard was not asked for"
    if os.geteuid() == 0 and uid != 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    native.harden()
    protections["dumps"] = "not kept out" if native.is_dumpable() else "none: not dumpable, no core"
    protections["new_privileges"] = "none"
    words = "only those of the key file's directory"
    protections["files"] = _try(lambda: native.landlock(file.directory), words)
    protections["user"] = _user_words(settings["starter"], uid)


def _user_words(starter: int, uid: int) -> str:
    if uid == 0:
        return "not its own: root, since the directory belongs to root"
    return f"its own: {uid}" if uid != starter else f"not its own: {uid}, as the front end"


def _try(action: Any, words: str) -> str:
    """What is said of a protection: that it holds, or why not."""
    try:
        action()
    except HolderFaultError as error:
        return f"not there: {error.reason}"
    return words


def _open(settings: Mapping[str, Any], cabinet: Cabinet) -> None:
    pins, cost = settings["pins"], tuple(settings["cost"])
    try:
        if settings["restore"] is not None:
            with open(settings["restore"]["handle"], "rb", buffering=0, closefd=False) as stream:
                data = stream.read(MOST_BYTES + 1) or b""
            cabinet.restore(data, settings["restore"]["path"], settings["restore"]["pins"], pins, cost)
            close_all([settings["restore"]["handle"], *settings["restore"]["pins"]])
        elif settings["create"]:
            cabinet.create(pins, cost)
        else:
            cabinet.open(pins)
    finally:
        close_all(pins)
