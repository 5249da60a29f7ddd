"""The PIN of a token, given out over a Unix socket only while somebody has a live grant for its key.

    desk = PinDesk(door, "key:issuer-1", Secret(b"1234"), users=frozenset({999}))
    with listening_socket(Path("/run/immure/pin")) as listening:
        serve(listening, desk, lambda: False)

Who asks is known from the kernel (``SO_PEERCRED``, unix(7)). The answer is ``+`` and the PIN, or ``-`` and
the rule that says no, and the end of the connection. That a PIN was given is in the log before it is given.

Whoever has the PIN can use the token for as long as they hold it: a grant that ends takes no PIN back. What
ends is that a service that starts gets one.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from immure.access.door import Door
from immure.access.errors import DeniedError, NoGrantError
from immure.access.names import parse_resource
from immure.access.room import deny
from immure.errors import ImmureError, UsageError
from immure.secret import Secret

ACTION: Final = "use"
MOST_BYTES: Final = 1024
_CREDENTIALS: Final = struct.Struct("3i")
_SECONDS: Final = 5.0
_TURN: Final = 0.2


class Peer(NamedTuple):
    """Who is at the other end of a Unix socket."""

    pid: int
    uid: int
    gid: int


class PinDesk:
    """Gives a PIN out.

    Args:
        door: opened with what signs its log.
        resource: ``key:NAME``; the grant must be for this, and for ``use``.
        pin: what is given out.
        users: numbers of the users to whom.
        account: whose grant it must be; None: anybody's.
        told: is told what happens: events, and facts that are no secrets.

    Raises:
        UsageError: the resource is no key.
    """

    def __init__(
        self,
        door: Door,
        resource: str,
        pin: Secret[bytes],
        *,
        users: frozenset[int],
        account: str | None = None,
        told: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        if parse_resource(resource).kind != "key":
            raise UsageError(f"a PIN is of a key: key:NAME, not {resource[:80]!r}")
        self._door, self._resource, self._pin = door, resource, pin
        self._users, self._account, self._told = users, account, told

    def answer(self, peer: Peer) -> bytes:
        """What a peer is answered; nobody gets the PIN if anything is amiss."""
        try:
            pin = self._given(peer)
        except DeniedError as error:
            self._told("pin-refused", uid=peer.uid, pid=peer.pid, rule=error.rule)
            return f"-{error.rule}\n".encode()
        except ImmureError as error:
            self._told("pin-refused", uid=peer.uid, pid=peer.pid, rule=error.code)
            return b"-broken\n"
        self._told("pin-given", uid=peer.uid, pid=peer.pid)
        return b"+" + pin.reveal() + b"\n"

    def gone(self) -> None:
        """The peer did not take its answer."""
        self._told("pin-not-taken")

    def _given(self, peer: Peer) -> Secret[bytes]:
        if peer.uid not in self._users:
            deny("user", "this user gets no PIN")
        grant = self._door.live_grant(self._resource, ACTION, account=self._account)
        self._door.use(grant.id, ACTION, {"pin": self._resource, "uid": peer.uid, "pid": peer.pid})
        return self._pin


@contextmanager
def listening_socket(path: Path) -> Iterator[socket.socket]:
    """A Unix socket to which anybody may connect whom its directory lets through.

    Raises:
        UsageError: it cannot be made, or something is there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        try:
            _remove_stale(path)
            made.bind(str(path))
            path.chmod(0o666)  # the kernel says who has connected, and that is what counts
            made.listen(16)
        except OSError as error:
            raise UsageError(error.strerror or str(error)[:80], path=str(path)) from error
        try:
            yield made
        finally:
            path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Remove a socket at which nobody listens any more; raises OSError if anything else is there."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise OSError(17, "something is there that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(17, "somebody listens there already")


def serve(listening: socket.socket, desk: PinDesk, stopped: Callable[[], bool]) -> None:
    """Answer who connects, one after another, until ``stopped``."""
    listening.settimeout(_TURN)
    while not stopped():
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            continue
        with connection:
            _answer(connection, desk)


def _answer(connection: socket.socket, desk: PinDesk) -> None:
    """A peer that has gone, or does not read, gets nothing more; others are not kept waiting for it."""
    connection.settimeout(_SECONDS)
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    answer = desk.answer(Peer(*_CREDENTIALS.unpack(raw)))
    try:
        connection.sendall(answer)
    except OSError:
        desk.gone()


def fetch_pin(path: Path) -> Secret[bytes]:
    """The PIN that a desk gives out.

    Raises:
        NoGrantError: it gives none; ``rule`` says why.
        UsageError: nobody answers there.
    """
    data = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS * 4)
            connection.connect(str(path))
            while part := connection.recv(MOST_BYTES + 2):
                data += part
                if len(data) > MOST_BYTES + 2:
                    raise UsageError("what is answered there is no PIN", path=str(path))
    except OSError as error:
        raise UsageError(error.strerror or "nobody answers there", path=str(path)) from error
    if data[:1] == b"-":
        rule = bytes(data[1:65]).decode("ascii", "replace").strip()
        raise NoGrantError(f"no PIN is given out: {rule!r}", rule=rule)
    if data[:1] != b"+" or data[-1:] != b"\n" or len(data) < 3:
        raise UsageError("what is answered there is no PIN", path=str(path))
    return Secret(bytes(data[1:-1]))


@contextmanager
def pin_file(pin: Secret[bytes], path: Path) -> Iterator[Path]:
    """A file with a PIN that only this user can read, as long as the block lasts: for a program whose workers
    open it themselves. Its place should be memory (a tmpfs, as ``/run`` is).

    Raises:
        UsageError: it cannot be made, or is there.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be made", path=str(path)) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(pin.reveal() + b"\n")
        yield path
    finally:
        path.unlink(missing_ok=True)


def pin_descriptor(pin: Secret[bytes], number: int) -> str:
    """Put a PIN into memory that is open as a file descriptor, and goes on to the program that this process
    becomes; the path for a ``pin-source`` (RFC 7512).

    Raises:
        UsageError: the number is in use, or cannot be had.
    """
    try:
        os.fstat(number)
    except OSError:
        pass
    else:
        raise UsageError(f"the file descriptor {number} is in use")
    try:
        made = os.memfd_create("pin", os.MFD_CLOEXEC)
        os.fchmod(made, 0o600)
        os.write(made, pin.reveal() + b"\n")
        if made == number:
            os.set_inheritable(made, True)
        else:
            os.dup2(made, number, inheritable=True)
            os.close(made)
    except OSError as error:
        raise UsageError(f"the file descriptor {number}: {error.strerror}") from error
    return f"/proc/self/fd/{number}"
