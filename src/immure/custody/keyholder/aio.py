"""A key holder, for asyncio: any number of signatures in flight, from one event loop.

    holder = await AsyncKeyHolder.start("/var/lib/issuer/keys.sealed", [Path("/run/credentials/pin")])
    token = await holder.sign_token("k1", claims)

Requests that are made in one turn of the loop leave together.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from immure.custody.keyholder import asking
from immure.custody.keyholder.asking import KeyInfo
from immure.custody.keyholder.client import Restarts
from immure.custody.keyholder.errors import HolderError, HolderGoneError, HolderKeyError
from immure.custody.keyholder.launch import Options, Started, start
from immure.custody.keyholder.link import check_process
from immure.custody.keyholder.pins import Pin, Pins
from immure.custody.keyholder.protocol import Frames, Op, decode_error, encode, from_json, sign_body, to_json
from immure.custody.keyholder.sharing import connect
from immure.registry.state import KeyState

_READ: Final = 64 << 10


class AsyncLink:
    """One connection to a holder, of one event loop."""

    def __init__(self, stream: socket.socket, path: str, timeout: float) -> None:
        stream.setblocking(False)
        self.path = path
        self.is_open = True
        self._pid = os.getpid()
        self._stream = stream
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._out = bytearray()
        self._flushing = False
        self._frames = Frames()
        self._waiting: dict[int, tuple[asyncio.Future[bytes], float]] = {}
        self._loop.add_reader(stream, self._readable)
        self._watch = self._loop.call_later(timeout / 4, self._watchdog)

    def submit(self, op: Op, body: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future has the answer's body, or raises HolderError."""
        check_process(self._pid, self.path)
        if not self.is_open:
            raise HolderGoneError("the key holder is gone", path=self.path)
        self._number += 1
        self._out += encode(op, self._number, body)
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[self._number] = future, self._loop.time() + self._timeout
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        if not self.is_open:
            return
        try:
            del self._out[: self._stream.send(self._out)]
        except BlockingIOError:
            pass
        except OSError as error:
            self.fail(f"the key holder cannot be reached: {error}")
            return
        if self._out:
            self._loop.add_writer(self._stream, self._writable)
        else:
            self._flushing = False

    def _writable(self) -> None:
        self._loop.remove_writer(self._stream)
        self._flush()

    def _readable(self) -> None:
        try:
            data = self._stream.recv(_READ)
            if not data:
                self.fail("the key holder is gone")
            for frame in self._frames.feed(data):
                future, _ = self._waiting.pop(frame.id, (None, 0.0))
                if future is None or future.done():  # whoever waited has given up
                    continue
                if frame.op is Op.OK:
                    future.set_result(frame.body)
                else:
                    future.set_exception(decode_error(frame.body, self.path))
        except BlockingIOError:
            return
        except (OSError, HolderError) as error:
            self.fail(f"the key holder cannot be understood: {error}")

    def _watchdog(self) -> None:
        """The first that waits waits longest, but a few that take long do not matter: all are looked at."""
        now = self._loop.time()
        if any(now >= until for _, until in self._waiting.values()):
            self.fail(f"the key holder did not answer within {self._timeout:g} s, and is ended")
        else:
            self._watch = self._loop.call_later(self._timeout / 4, self._watchdog)

    def fail(self, reason: str) -> None:
        """End the connection, and tell everybody who waits."""
        if not self.is_open:
            return
        self.is_open = False
        self._watch.cancel()
        self._loop.remove_reader(self._stream)
        self._loop.remove_writer(self._stream)
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        waiting, self._waiting = self._waiting, {}
        words = f"{reason}; what was asked of it and not answered was not given out"
        for future, _ in waiting.values():
            if not future.done():
                future.set_exception(HolderGoneError(words, path=self.path))


class AsyncKeyHolder:
    """As :class:`~immure.custody.keyholder.client.KeyHolder`, for one event loop."""

    def __init__(
        self, options: Options, started: Started, again: Callable[[], Started], pins: Pins | None = None
    ) -> None:
        self.path = str(options.path)
        self._options = options
        self._again = again
        self._pins = pins
        self._started: Started | None = started
        self._link = AsyncLink(started.stream, self.path, options.timeout)
        self._starting: asyncio.Task[AsyncLink] | None = None
        self._restarts = Restarts(options.restarts)
        self._keys: dict[str, KeyInfo] = {}

    @classmethod
    async def start(cls, path: str | Path, pins: Sequence[Pin], **options: Any) -> AsyncKeyHolder:
        """Start a holder of a key file; arguments and errors as
        :meth:`~immure.custody.keyholder.client.KeyHolder.start`."""
        chosen, kept = Options(Path(path), **options), Pins(pins)

        def again() -> Started:
            return start(chosen, kept)

        try:
            return cls(chosen, await asyncio.to_thread(again), again, kept)
        except BaseException:
            kept.close()
            raise

    @classmethod
    async def connect(cls, path: str | Path, *, uid: int | None = None, **options: Any) -> AsyncKeyHolder:
        """Use a holder that listens at a socket; as
        :meth:`~immure.custody.keyholder.client.KeyHolder.connect`."""
        chosen = Options(Path(path), **options)

        def again() -> Started:
            return connect(chosen.path, uid, chosen.timeout)

        return cls(chosen, await asyncio.to_thread(again), again)

    async def _ask(self, op: Op, body: bytes) -> bytes:
        link = self._link if self._link.is_open else await self._living()
        return await link.submit(op, body)

    async def _living(self) -> AsyncLink:
        """One starts it for all; whoever gives up meanwhile does not take the others' holder along."""
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start_again())
        return await asyncio.shield(self._starting)

    async def _start_again(self) -> AsyncLink:
        dead = self._started
        if dead is None:
            raise HolderGoneError("the key holder is closed", path=self.path)
        self._restarts.note(self.path)
        await asyncio.to_thread(dead.kill)
        dead.stream.close()
        started = await asyncio.to_thread(self._again)
        if self._started is None:  # closed meanwhile
            await asyncio.to_thread(started.end)
            raise HolderGoneError("the key holder is closed", path=self.path)
        self._started = started
        self._link = AsyncLink(started.stream, self.path, self._options.timeout)
        return self._link

    async def sign_token(
        self,
        kid: str,
        claims: Mapping[str, Any] | bytes,
        header: Mapping[str, Any] | None = None,
        *,
        purpose: str = "token",
    ) -> str:
        """A signed token in compact form; as
        :meth:`~immure.custody.keyholder.client.KeyHolder.sign_token`."""
        key = self._keys.get(kid) or await self.find(kid)
        signed = asking.signing_input(key, header, claims)
        return asking.token(signed, await self._ask(Op.SIGN, sign_body(kid, purpose, signed)))

    async def sign(self, kid: str, purpose: str, message: bytes) -> bytes:
        """A signature over a statement or a note."""
        return await self._ask(Op.SIGN, sign_body(kid, purpose, message))

    def sign_at_once(self, kid: str, purpose: str, message: bytes) -> asyncio.Future[bytes] | None:
        """As :meth:`sign`, without a task: the request leaves at the end of this turn of the loop. None if
        it takes more than to ask: the holder is not there, or the key is not known to be in use."""
        known = self._keys.get(kid)
        if known is None or known.state is not KeyState.ACTIVE or not self._link.is_open:
            return None
        return self._link.submit(Op.SIGN, sign_body(kid, purpose, message))

    async def list(self) -> dict[str, KeyInfo]:
        """All keys by their kids."""
        self._keys = asking.key_infos(await self._ask(Op.LIST, b""))
        return dict(self._keys)

    async def find(self, kid: str) -> KeyInfo:
        """A key; raises HolderKeyError."""
        found = self._keys.get(kid) or (await self.list()).get(kid)
        if found is None:
            raise HolderKeyError(f"there is no key {kid[:80]!r}", path=self.path)
        return found

    async def succeed(
        self,
        kid: str,
        after: str,
        *,
        bits: int = 3072,
        state: KeyState = KeyState.PRE_ACTIVE,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        never: Collection[str] = (),
    ) -> KeyInfo:
        """Have a key made with the rules of another, and for none of the audiences ``never`` that these do
        not name."""
        body = asking.succeed_body(kid, after, bits, state, not_before, not_after, never)
        return self._keep(await self._ask(Op.SUCCEED, body))

    async def set_state(self, kid: str, state: KeyState, reason: str = "") -> KeyInfo:
        """Bring a key into another state."""
        body = to_json({"kid": kid, "state": state.value, "reason": reason})
        return self._keep(await self._ask(Op.SET_STATE, body))

    def _keep(self, body: bytes) -> KeyInfo:
        made = asking.key_info(from_json(body))
        self._keys[made.kid] = made
        return made

    async def status(self) -> dict[str, Any]:
        """What the holder says of itself."""
        return from_json(await self._ask(Op.STATUS, b""))

    @property
    def pid(self) -> int:
        """The holder's process; raises HolderGoneError if it is closed."""
        if self._started is None:
            raise HolderGoneError("the key holder is closed", path=self.path)
        return self._started.pid

    async def aclose(self) -> None:
        """End the holder; it writes its counts first."""
        started, self._started = self._started, None
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        if started is not None:
            self._link.fail("the key holder is closed")
            await asyncio.to_thread(started.end)
        if self._pins is not None:
            self._pins.close()

    async def __aenter__(self) -> AsyncKeyHolder:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
