"""A directory on another machine, over SFTP (extra ``sftp``).

The dump is written to ``.immure-….part``, which only the account that is logged in can read, and renamed when
it is complete. The rename is that of SFTP version 3, which does not replace a file (OpenSSH makes a hard
link, then removes the old name). A process that is killed leaves the ``.part``: remove old ones there.

Host keys must be known; one that is not, or has changed, ends it. User, port and key files come from
``~/.ssh/config``, keys also from the agent. Nobody is asked for a password.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from immure.errors import TransferError
from immure.transfer.destinations.interface import Destination, Placed, Stage, check_same
from immure.transfer.places import Place, check_name

SECONDS: Final = 30.0
MODE: Final = 0o640
_STEP: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Where the settings of SSH are: client configuration, files of host keys, whether to ask an agent."""

    config: str = "~/.ssh/config"
    known_hosts: tuple[str, ...] = ("/etc/ssh/ssh_known_hosts", "~/.ssh/known_hosts")
    agent: bool = True


class SftpDestination(Destination):
    """A directory of an SSH server; it is connected to when the first dump is put down.

    Raises:
        TransferError: paramiko is not installed, or no directory is named.
    """

    def __init__(self, place: Place, *, settings: SshSettings | None = None) -> None:
        self.url = place.url
        self._place = place
        self._settings = settings or SshSettings()
        self._client: Any = None
        self._sftp: Any = None
        if not place.path:
            raise TransferError("names no directory", path=self.url)
        try:
            import paramiko  # noqa: F401 - that it is missing is said before anything is decided
        except ImportError as error:
            reason = "needs the package paramiko: pip install 'immure[sftp]'"
            raise TransferError(reason, path=self.url) from error

    def stage(self, name: str, size: int) -> Stage:
        """See :meth:`Destination.stage`."""
        check_name(name)
        with _reported(self.url):
            if self._sftp is None:
                self._connect()
            return _SftpStage(self._sftp, self._place.path, name, f"{self.url}/{name}")

    def _connect(self) -> None:
        import paramiko

        parts = urlsplit(self.url)
        host = parts.hostname or ""
        options = self._options(host)
        client = self._client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        for path in (*self._settings.known_hosts, *options.get("userknownhostsfile", "").split()):
            if (file := Path(path).expanduser()).is_file():
                client.load_system_host_keys(str(file))
        client.connect(
            options.get("hostname", host),
            port=parts.port or int(options.get("port", 22)),
            username=options.get("user"),
            key_filename=options.get("identityfile"),
            allow_agent=self._settings.agent,
            look_for_keys="identityfile" not in options,
            timeout=SECONDS,
            banner_timeout=SECONDS,
            auth_timeout=SECONDS,
        )
        self._sftp = client.open_sftp()
        self._sftp.get_channel().settimeout(SECONDS)

    def _options(self, host: str) -> dict[str, Any]:
        """What the client configuration says of a host."""
        import paramiko

        file = Path(self._settings.config).expanduser()
        options: dict[str, Any] = {}
        if file.is_file():
            options = dict(paramiko.SSHConfig.from_path(str(file)).lookup(host))
        if "proxycommand" in options or "proxyjump" in options:
            raise TransferError("a proxy of the SSH configuration cannot be used", path=self.url)
        return options

    def close(self) -> None:
        """See :meth:`Destination.close`."""
        client, self._client, self._sftp = self._client, None, None
        if client is not None:
            client.close()


class _SftpStage(Stage):
    """A file under another name."""

    def __init__(self, sftp: Any, directory: str, name: str, path: str) -> None:
        self._sftp = sftp
        self._target = f"{directory}/{name}"
        self._part: str | None = f"{directory}/.immure-{secrets.token_hex(8)}.part"
        self._path = path
        self._size = 0
        self._file = sftp.open(self._part, "wxb", bufsize=0)
        self._file.chmod(0o600)  # nothing is in it yet
        self._file.set_pipelined(True)

    def write(self, piece: bytes) -> None:
        """See :meth:`Stage.write`."""
        with _reported(self._path):
            self._file.write(piece)
        self._size += len(piece)

    def prepare(self) -> None:
        """See :meth:`Stage.prepare`."""
        with _reported(self._path):
            self._file.close()
            stored = self._sftp.stat(self._part).st_size
            if stored != self._size:
                raise TransferError(f"{stored} of {self._size} bytes arrived", path=self._path)
            self._sftp.chmod(self._part, MODE)

    def commit(self, sha256: str) -> Placed:
        """See :meth:`Stage.commit`."""
        with _reported(self._path):
            if self._exists():
                return check_same(self._present(), sha256, self._path)
        with _reported(self._path, "whether it is there is not known, look: "):
            try:
                self._sftp.rename(self._part, self._target)
            except OSError:
                if not self._exists():
                    raise
                return check_same(self._present(), sha256, self._path)  # somebody else was quicker
        self._part = None
        return "new"

    def _exists(self) -> bool:
        try:
            self._sftp.lstat(self._target)
        except FileNotFoundError:
            return False
        return True

    def _present(self) -> Iterator[bytes]:
        if self._sftp.lstat(self._target).st_size != self._size:
            return
        with self._sftp.open(self._target, "rb") as stream:
            while piece := stream.read(_STEP):
                yield piece

    def abandon(self) -> None:
        """See :meth:`Stage.abandon`."""
        part, self._part = self._part, None
        if part is not None:
            with suppress(Exception):  # the server may be out of reach, which is why it is abandoned
                self._file.close()
                self._sftp.remove(part)


@contextmanager
def _reported(path: str, words: str = "") -> Iterator[None]:
    """Turn errors of the connection into ours."""
    from paramiko.ssh_exception import BadHostKeyException, NoValidConnectionsError, SSHException

    try:
        yield
    except BadHostKeyException as error:
        raise TransferError("the server has another host key than the known one", path=path) from error
    except NoValidConnectionsError as error:
        raise TransferError("cannot be connected to", path=path) from error
    except (OSError, EOFError, SSHException, ValueError) as error:
        reason = str(error).partition("\n")[0][:300] or type(error).__name__
        raise TransferError(f"{words}the server cannot take it: {reason}", path=path) from error
