"""The policy as a file that may change while somebody releases by it.

A release reads the policy, decides, transfers, and reads it again at the very end, holding a shared lock on
it. :func:`install_policy` puts a new one in place under an exclusive lock: so when it returns, no release by
the old policy can come after it. An editor that knows nothing of locks can write during the last step of a
release (some milliseconds); that release counts as having been before.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.errors import PolicyError
from immure.files import write_whole
from immure.transfer.policy import Policy, parse_policy
from immure.transfer.table import MOST_BYTES

#: Bytes of the largest file of keys that a policy may name.
MOST_KEY_BYTES: Final = 16 << 20
_MOST_TURNS = 1000


class PolicyFile:
    """A policy in a file. Files of keys that it names are beside it, or named from the root."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def read(self) -> Policy:
        """See :meth:`immure.transfer.interfaces.PolicySource.read`."""
        with self.held() as policy:
            return policy

    @contextmanager
    def held(self) -> Iterator[Policy]:
        """See :meth:`immure.transfer.interfaces.PolicySource.held`."""
        handle = _locked(self.path, fcntl.LOCK_SH)
        try:
            yield parse_policy(_read(handle, MOST_BYTES + 1, self.path), self.path, self.read_beside)
        finally:
            os.close(handle)

    def read_beside(self, name: str) -> bytes:
        """The bytes of a file that the policy names.

        Raises:
            PolicyError: it cannot be read.
        """
        return self.read_file(os.path.join(os.path.dirname(self.path), name))

    def read_file(self, path: str) -> bytes:
        """The bytes of another file.

        Raises:
            PolicyError: it cannot be read, or is too long.
        """
        handle = _open(path)
        try:
            data = _read(handle, MOST_KEY_BYTES + 1, path)
        finally:
            os.close(handle)
        if len(data) > MOST_KEY_BYTES:
            raise PolicyError(f"is longer than {MOST_KEY_BYTES} bytes", path=path)
        return data


def install_policy(new: str | os.PathLike[str], path: str | os.PathLike[str]) -> Policy:
    """Let ``new`` be the policy at ``path``. When this returns, nothing leaves by the old one any more.

    Raises:
        PolicyError: the new one cannot be understood there, or not be written; the old one is in force.
    """
    target = PolicyFile(path)
    source = _open(os.fspath(new))
    try:
        data = _read(source, MOST_BYTES + 1, os.fspath(new))
    finally:
        os.close(source)
    policy = parse_policy(data, os.fspath(new), target.read_beside)
    handle = _locked(target.path, fcntl.LOCK_EX) if os.path.exists(target.path) else None
    try:
        write_whole(Path(target.path), data, mode=None)
    except OSError as error:
        raise PolicyError(f"cannot be written: {error.strerror}", path=target.path) from error
    finally:
        if handle is not None:
            os.close(handle)
    return policy


def _locked(path: str, how: int) -> int:
    """The file that is at ``path`` while it is locked: another one may take its place before it is."""
    for _ in range(_MOST_TURNS):
        handle = _open(path)
        fcntl.flock(handle, how)
        try:
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except FileNotFoundError:
            pass  # gone: the next turn says so, if it stays so
        os.close(handle)
    raise PolicyError("is replaced again and again", path=path)


def _open(path: str) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(f"cannot be read: {words}", path=path) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise PolicyError("is not a regular file", path=path)
    return handle


def _read(handle: int, most: int, path: str) -> bytes:
    try:
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(most)
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", path=path) from error
