"""One holder for several front ends: it listens at a socket, and looks at who connects (``SO_PEERCRED``)."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from immure.custody.keyholder.errors import HolderBusyError, HolderError, HolderFileError, HolderGoneError
from immure.custody.keyholder.launch import Options, Started, read_greeting, start
from immure.custody.keyholder.pins import Pin, Pins
from immure.custody.keyholder.serving import peer_of

_WAITING = 64


def connect(path: Path, uid: int | None, seconds: float) -> Started:
    """A connection to the holder that listens there.

    Args:
        uid: the user who must have begun to listen; None for whoever did.
        seconds: in which it must answer.

    Raises:
        HolderGoneError: nobody listens, it is another user's, or it takes no connection of ours.
    """
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.connect(str(path))
        if uid is not None and peer_of(stream)[1] != uid:
            raise HolderGoneError(f"another user than {uid} listens there", path=str(path))
        return Started(None, stream, read_greeting(stream, str(path), seconds))
    except (OSError, ValueError) as error:
        stream.close()
        reason = getattr(error, "strerror", None) or "is no path of a socket"
        raise HolderGoneError(f"no key holder listens there: {reason}", path=str(path)) from error
    except HolderError:
        stream.close()
        raise


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket to listen at; its name is gone after the block.

    Everybody may connect, as far as the directory lets them; the holder looks at who it is.

    Raises:
        HolderBusyError: somebody listens there.
        HolderFileError: it cannot be made.
    """
    _clear(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(str(path))
            os.chmod(path, 0o666)  # noqa: S103
            listener.listen(_WAITING)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is no path of a socket"
            raise HolderFileError(f"cannot be listened at: {reason}", path=str(path)) from error
        try:
            yield listener
        finally:
            with suppress(OSError):
                path.unlink()


def _clear(path: Path) -> None:
    """Take away the socket of a holder that is dead; nothing else is taken away."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            with suppress(OSError):
                path.unlink()
            return
    raise HolderBusyError("somebody listens there", path=str(path))


def serve(options: Options, pins: Sequence[Pin], place: Path, say: Callable[[str], None]) -> int:
    """Hold keys for whoever connects, until SIGTERM or SIGINT, or until the holder ends; its exit code.

    Raises:
        HolderError: (all of its kinds) it cannot.
    """
    kept = Pins(pins)
    with listening(place) as listener:
        started = start(options, kept, listener=listener)
        listener.close()
        kept.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: started.stream.shutdown(socket.SHUT_WR))
        say(f"{started.greeting['keys']} keys of {options.path} are served at {place}")
        process = started.process
        return 3 if process is None else process.wait()
