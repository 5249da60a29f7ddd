"""A key holder, for programs with threads.

    with KeyHolder.start("/var/lib/issuer/keys.sealed", [Path("/run/credentials/pin")]) as holder:
        token = holder.sign_token("k1", claims)

The front end starts the holder, and starts it again when it dies; it never has a key.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from immure.custody.keyholder import asking
from immure.custody.keyholder.client_keys import Keys
from immure.custody.keyholder.errors import HolderGoneError
from immure.custody.keyholder.launch import Backup, Options, Started, make_directory, start
from immure.custody.keyholder.link import Link
from immure.custody.keyholder.pins import Pin, Pins
from immure.custody.keyholder.protocol import Op, sign_body
from immure.custody.keyholder.sharing import connect

#: Seconds in which restarts are counted.
_WINDOW: Final = 60.0


class Restarts:
    """Counts restarts, so that a holder that dies at once is not started for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque()

    def note(self, path: str) -> None:
        """One more; raises HolderGoneError if that is too many within a minute."""
        now = time.monotonic()
        while self._times and now - self._times[0] > _WINDOW:
            self._times.popleft()
        if len(self._times) >= self._most:
            raise HolderGoneError(f"the key holder died {len(self._times)} times within a minute", path=path)
        self._times.append(now)


class KeyHolder(Keys):
    """A holder that this process started; see :meth:`start`. Any number of threads may use it."""

    def __init__(self, options: Options, again: Callable[[], Started], pins: Pins | None = None) -> None:
        super().__init__(str(options.path))
        self._options = options
        self._again = again
        self._pins = pins
        started = again()
        self._started: Started | None = started
        self._link = Link(started.stream, self.path)
        self._lock = threading.Lock()
        self._restarts = Restarts(options.restarts)

    @classmethod
    def start(cls, path: str | Path, pins: Sequence[Pin], **options: Any) -> KeyHolder:
        """Start a holder of a key file.

        Args:
            path: the key file.
            pins: one, or the two that the file is under; a ``Path`` names a file whose first line it is.
            options: see :class:`~immure.custody.keyholder.launch.Options`.

        Raises:
            HolderPinError, HolderBusyError, HolderFileError, HolderFaultError, HolderGoneError: it cannot.
        """
        return cls._begin(Options(Path(path), **options), pins)

    @classmethod
    def create(
        cls, path: str | Path, pins: Sequence[Pin], *, user: str | None = None, **options: Any
    ) -> KeyHolder:
        """Begin a new key file, and start its holder, to manage it.

        The file's directory belongs to the holder's user: it is made if it is not there. As root, ``user`` is
        that user; without it one is taken that nobody else has. Raises as :meth:`start`.
        """
        make_directory(Path(path), user)
        return cls._begin(Options(Path(path), **{"role": "manage", **options}), pins, create=True)

    @classmethod
    def restore(
        cls,
        path: str | Path,
        pins: Sequence[Pin],
        backup: str | Path,
        backup_pins: Sequence[Pin],
        *,
        user: str | None = None,
        **options: Any,
    ) -> KeyHolder:
        """Begin a new key file with the keys of a backup; as :meth:`create`."""
        make_directory(Path(path), user)
        old = Pins(backup_pins)
        try:
            chosen = Options(Path(path), **{"role": "manage", **options})
            return cls._begin(chosen, pins, restore=Backup(Path(backup), old))
        finally:
            old.close()

    @classmethod
    def _begin(
        cls, options: Options, pins: Sequence[Pin], *, create: bool = False, restore: Backup | None = None
    ) -> KeyHolder:
        kept = Pins(pins)
        try:
            if create or restore is not None:
                first: list[Started] = [start(options, kept, create=create, restore=restore)]
                return cls(options, lambda: first.pop() if first else start(options, kept), kept)
            return cls(options, lambda: start(options, kept), kept)
        except BaseException:
            kept.close()
            raise

    @classmethod
    def connect(cls, path: str | Path, *, uid: int | None = None, **options: Any) -> KeyHolder:
        """Use a holder that listens at a socket (``immure keyholder serve``), with others.

        Args:
            path: of the socket.
            uid: the user who must have started it; None for whoever did.

        Raises:
            HolderGoneError: nobody listens there, or another user does.
        """
        chosen = Options(Path(path), **options)
        return cls(chosen, lambda: connect(chosen.path, uid, chosen.timeout))

    # --- asking ---

    def _ask(self, op: Op, body: bytes, handles: Sequence[int] = ()) -> bytes:
        link = self._living()
        return self._wait(link, link.submit(op, body, handles))

    def _wait(self, link: Link, future: Future[bytes]) -> bytes:
        try:
            return future.result(self._options.timeout)
        except FutureTimeoutError:
            link.fail(f"the key holder did not answer within {self._options.timeout:g} s, and was ended")
            with self._lock:
                if self._link is link and self._started is not None:
                    self._started.kill()
            return future.result(0)

    def _living(self) -> Link:
        """The link, to a new holder if the old one is dead; raises HolderGoneError and as :meth:`start`."""
        link = self._link
        if link.is_open:
            return link
        with self._lock:
            if self._started is None:
                raise HolderGoneError("the key holder is closed", path=self.path)
            if not self._link.is_open:
                self._restarts.note(self.path)
                self._started.kill()
                self._started.stream.close()
                self._started = self._again()
                self._link = Link(self._started.stream, self.path)
            return self._link

    # --- signing ---

    def sign_token(
        self,
        kid: str,
        claims: Mapping[str, Any] | bytes,
        header: Mapping[str, Any] | None = None,
        *,
        purpose: str = "token",
    ) -> str:
        """A signed token in compact form.

        Args:
            claims: the claims, or their JSON.
            header: further members, such as ``typ``; ``alg`` and ``kid`` are the key's.
            purpose: ``token`` or ``client-assertion``.

        Raises:
            RefusedToSignError: the key may not sign this; its class says by which rule.
            HolderGoneError: the holder died or did not answer in time; there is no token.
        """
        signed = asking.signing_input(self.find(kid), header, claims)
        return asking.token(signed, self._ask(Op.SIGN, sign_body(kid, purpose, signed)))

    def sign_tokens(
        self, kid: str, many: Sequence[Mapping[str, Any]], header: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Tokens for many claim sets, asked for all at once; raises at the first that is refused."""
        key, link = self.find(kid), self._living()
        inputs = [asking.signing_input(key, header, claims) for claims in many]
        futures = link.submit_all(Op.SIGN, [sign_body(kid, "token", one) for one in inputs])
        return [
            asking.token(one, self._wait(link, future)) for one, future in zip(inputs, futures, strict=True)
        ]

    def sign(self, kid: str, purpose: str, message: bytes) -> bytes:
        """A signature over a message that is no token: ``statement`` (DSSE) or ``note`` (C2SP); raises as
        :meth:`sign_token`. By ES256 and ES384 it is the two numbers behind one another."""
        return self._ask(Op.SIGN, sign_body(kid, purpose, message))

    # --- the process ---

    @property
    def pid(self) -> int:
        """The holder's process; raises HolderGoneError if it is closed."""
        if self._started is None:
            raise HolderGoneError("the key holder is closed", path=self.path)
        return self._started.pid

    def close(self) -> None:
        """End the holder; it writes its counts first."""
        with self._lock:
            started, self._started = self._started, None
        if started is not None:
            started.end()
            self._link.fail("the key holder is closed")
        if self._pins is not None:
            self._pins.close()

    def __enter__(self) -> KeyHolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
