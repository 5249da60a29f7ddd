"""The rights of somebody else for a while, and where the agent of who asks is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from immure.access.room import deny
from immure.errors import UsageError

_MOST_ENVIRONMENT: Final = 4 << 20
_NAME: Final = b"SSH_AUTH_SOCK="


class Rights(NamedTuple):
    """A user, their group, and their other groups."""

    uid: int
    gid: int
    groups: Sequence[int] = ()


def rights_of(login: str) -> Rights:
    """The rights of a login; says no if there is none of that name."""
    import pwd

    try:
        entry = pwd.getpwnam(login)
    except (KeyError, ValueError):
        deny("login", f"there is no login {login[:40]!r} here")
    return Rights(entry.pw_uid, entry.pw_gid, os.getgrouplist(login, entry.pw_gid))


def owner_of(path: Path) -> Rights:
    """The rights of whose a directory is; raises UsageError if it is not there."""
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", path=str(path)) from error
    return Rights(status.st_uid, status.st_gid)


def become_root() -> None:
    """Give up the real user id, which is that of who runs sudo: what is theirs is not ours."""
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


@contextmanager
def acting_as(rights: Rights) -> Iterator[None]:
    """Root has no more rights than a user, as long as the block lasts. This is a process of one thread.

    Raises:
        UsageError: the process is not root's.
    """
    before = os.getgroups()
    try:
        os.setgroups(list(rights.groups))
        os.setegid(rights.gid)
        os.seteuid(rights.uid)
    except OSError as error:
        raise UsageError("only root may do this, as pam_exec runs it") from error
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def agent_of(process: int) -> str:
    """The path of an agent's socket in the environment with which a process was started; pam_exec(8) hands
    none on. It is whatever the user has written there.

    Raises:
        DeniedError: there is none (``no-agent``).
    """
    try:
        with Path(f"/proc/{process}/environ").open("rb") as stream:
            data = stream.read(_MOST_ENVIRONMENT)
    except OSError as error:
        deny("no-agent", f"the environment of the caller cannot be read: {error.strerror}")
    found = next((entry for entry in data.split(b"\0") if entry.startswith(_NAME)), None)
    if found is None:
        deny("no-agent", "there is no agent: SSH_AUTH_SOCK is not set (ssh -A, or ssh-agent)")
    return os.fsdecode(found.removeprefix(_NAME))
