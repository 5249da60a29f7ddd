"""A directory on this machine.

The dump is written to a file that has no name (``O_TMPFILE``) and gets one when it is complete (``linkat``),
so a process that is killed leaves nothing. File systems that cannot do that get a file ``.immure-….part``,
which only its owner can read, and which the next release into that directory removes.

The directory is opened once. What is released goes into the directory that the policy was asked about, also
if a link is turned elsewhere meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from immure.errors import TransferError, UsageError
from immure.transfer.destinations.interface import Destination, Placed, Stage, check_same
from immure.transfer.places import Place, check_name, parse_place

#: Permissions of a released file, less the umask.
MODE: Final = 0o640
_STEP: Final = 1 << 20
_UNSUPPORTED: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
_PART: Final = ".immure-"


class DirectoryDestination(Destination):
    """An existing directory.

    Args:
        path: where it is.
        nameless: try ``O_TMPFILE``.

    Raises:
        TransferError: it does not exist, is no directory, may not be entered, or has a path that is no text.
    """

    def __init__(self, path: str, *, nameless: bool = True) -> None:
        self._nameless = nameless
        self._handle = -1
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._path = os.readlink(f"/proc/self/fd/{self._handle}")
        except (OSError, ValueError) as error:
            self.close()
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise TransferError(f"cannot be opened as a directory: {words}", path=path) from error
        try:
            self.url = parse_place(Place("file", "", self._path.rstrip("/")).url).url
        except UsageError as error:
            self.close()
            raise TransferError(f"cannot be named in a policy: {error.reason}", path=path) from error

    def stage(self, name: str, size: int) -> Stage:
        """See :meth:`Destination.stage`."""
        path = os.path.join(self._path, check_name(name))
        if os.fstat(self._handle).st_nlink == 0:
            raise TransferError("its directory was removed", path=path)
        sweep(self._handle)
        if self._nameless:
            try:
                flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
                return NamelessStage(os.open(".", flags, MODE, dir_fd=self._handle), self._handle, name, path)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise TransferError(f"cannot be written: {error.strerror}", path=path) from error
        return PartStage(self._handle, name, path)

    def close(self) -> None:
        """See :meth:`Destination.close`."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", -1) >= 0:
            self.close()


class _FileStage(Stage):
    """What both ways have in common: a file that is open."""

    def __init__(self, handle: int, directory: int, name: str, path: str) -> None:
        self._handle = handle
        self._directory = directory
        self._name = name
        self._path = path

    def write(self, piece: bytes) -> None:
        """See :meth:`Stage.write`."""
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            raise TransferError(f"cannot be written: {error.strerror}", path=self._path) from error

    def prepare(self) -> None:
        """See :meth:`Stage.prepare`."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise TransferError(f"cannot be written: {error.strerror}", path=self._path) from error

    def commit(self, sha256: str) -> Placed:
        """See :meth:`Stage.commit`."""
        try:
            self._give_name()
        except FileExistsError:
            return check_same(self._present(), sha256, self._path)
        except OSError as error:
            raise TransferError(f"cannot be given its name: {error.strerror}", path=self._path) from error
        try:
            os.fsync(self._directory)
        except OSError as error:
            reason = f"is there, but a power failure may take it away again: {error.strerror}"
            raise TransferError(reason, path=self._path) from error
        return "new"

    @abstractmethod
    def _give_name(self) -> None:
        """Show it, in one step; raises FileExistsError if there is a file of that name."""

    def _present(self) -> Iterator[bytes]:
        """The bytes of the file that has the name."""
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            handle = os.open(self._name, flags, dir_fd=self._directory)
            with open(handle, "rb", buffering=0) as stream:
                regular = stat.S_ISREG(os.fstat(handle).st_mode)
                same_size = os.fstat(handle).st_size == os.fstat(self._handle).st_size
                while regular and same_size and (piece := stream.read(_STEP)):
                    yield piece
        except OSError as error:
            reason = f"something of that name is there: {error.strerror}"
            raise TransferError(reason, path=self._path) from error

    def abandon(self) -> None:
        """See :meth:`Stage.abandon`."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


class NamelessStage(_FileStage):
    """A file that has no name until it is complete."""

    def _give_name(self) -> None:
        os.link(f"/proc/self/fd/{self._handle}", self._name, dst_dir_fd=self._directory, follow_symlinks=True)


class PartStage(_FileStage):
    """A file under another name, locked while its process lives."""

    def __init__(self, directory: int, name: str, path: str) -> None:
        self._part = f"{_PART}{secrets.token_hex(8)}.part"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            # sweep() takes the same lock, so it does not see the file before this process has locked it
            fcntl.flock(directory, fcntl.LOCK_EX)
            try:
                handle = os.open(self._part, flags, 0o600, dir_fd=directory)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                fcntl.flock(directory, fcntl.LOCK_UN)
        except OSError as error:
            raise TransferError(f"cannot be written: {error.strerror}", path=path) from error
        super().__init__(handle, directory, name, path)

    def _give_name(self) -> None:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(self._handle, MODE & ~mask)
        try:
            os.link(self._part, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._rename()

    def _rename(self) -> None:
        """Where there are no hard links: not over another file, as long as only this program writes there."""
        fcntl.flock(self._directory, fcntl.LOCK_EX)
        try:
            with suppress(FileNotFoundError):
                os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(self._part, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        finally:
            fcntl.flock(self._directory, fcntl.LOCK_UN)

    def abandon(self) -> None:
        """See :meth:`Stage.abandon`."""
        if self._handle >= 0:
            with suppress(OSError):  # gone with its directory, or the next release removes it
                os.unlink(self._part, dir_fd=self._directory)
        super().abandon()


def sweep(directory: int) -> None:
    """Remove what killed processes have left in a directory that is open.

    Raises:
        TransferError: it cannot be looked at or removed.
    """
    try:
        left = [name for name in os.listdir(directory) if name.startswith(_PART) and name.endswith(".part")]
        if not left:
            return
        fcntl.flock(directory, fcntl.LOCK_EX)
        try:
            for name in left:
                _remove_if_left(directory, name)
        finally:
            fcntl.flock(directory, fcntl.LOCK_UN)
    except OSError as error:
        raise TransferError(f"what a killed release has left cannot be removed: {error.strerror}") from error


def _remove_if_left(directory: int, name: str) -> None:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return  # gone meanwhile, or not a file of ours
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    except BlockingIOError:
        pass  # its process lives
    finally:
        os.close(handle)
