"""What a running service does all the time: rotates keys, closes batches, forgets what has run out.

Several processes may run. One of them leads rotation, under a lease in the state; the others only see to an
issuer that has no key which signs, as that cannot wait. Two that do the same do no harm, for each step is one
change of state in the registry; so a lease that goes wrong costs nothing.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator
from time import monotonic
from typing import Final

from immure import clock
from immure.errors import ImmureError
from immure.ledger.errors import SealingBusyError
from immure.ledger.sealing import Sealer
from immure.ledger.witnesses import Asked
from immure.registry.errors import RegistryError
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.signing.fetches import FetchLog
from immure.signing.heartbeat import Beat, boot_id, counter
from immure.signing.key_view import KeyView
from immure.signing.observer import Observer
from immure.signing.rotation import Rotator
from immure.signing.state import State

#: Seconds between two looks at what is due.
EVERY: Final = 1.0
#: Seconds between two looks whether an issuer has lost its key.
URGENT: Final = 0.1
#: Seconds for which a process leads; and before which it does not ask again.
LEASE: Final = 15
_RENEW: Final = 5.0
_ROTATION: Final = "rotation"


class Upkeep:
    """The work of one process.

    Args:
        rotator: of the keys of all issuers.
        issuers: their URLs.
        view: of the registry.
        state: where processes tell one another who leads, and that they were at work.
        sealer: closes batches; None if another process does.
        fetches: to be written down.
        observer: is told what goes on.
        time: where the time is from.
    """

    def __init__(
        self,
        rotator: Rotator,
        issuers: Iterable[str],
        view: KeyView,
        state: State,
        sealer: Sealer | None,
        fetches: FetchLog,
        observer: Observer,
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        self.rotator = rotator
        self._issuers = frozenset(issuers)
        self._view = view
        self._state = state
        self._sealer = sealer
        self._fetches = fetches
        self._observer = observer
        self._time = time
        self._who = uuid.uuid4().hex
        self._boot = boot_id()
        self._rotating = threading.Lock()
        self._led_since: float | None = None
        self._beaten: float | None = None
        self._witnessed = ""

    def work(self) -> Iterator[Coroutine[None, None, None]]:
        """What is done all the time; each for itself, so that none waits for another that is stuck."""
        yield self._every(EVERY, "rotation", self.rotate)
        yield self._every(EVERY, "sealing", self.seal)
        yield self._every(EVERY, "fetches", self.write_fetches)
        yield self._every(60 * EVERY, "sweeping", self.sweep)
        yield self._look_after_signing()

    async def _every(self, seconds: float, what: str, work: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(work)
            except Exception as error:  # noqa: BLE001 - whatever it is, keys must go on being rotated
                self._observer.bug(what, error)

    # --- keys ---

    def rotate(self) -> None:
        """Do what is due, if this process leads; else what cannot wait."""
        try:
            leads = self._leads()
        except ImmureError as error:
            self._observer.failed("leading", error)
            leads = False
        if self._run(urgent=not leads) and leads:
            self._beat()

    def _run(self, *, urgent: bool) -> bool:
        """Whether all was done that was due."""
        with self._rotating:
            try:
                for step in self.rotator.run(urgent=urgent):
                    words = {"action": step.action.value, "kid": step.kid, "reason": step.reason}
                    self._observer.journal.write("key", **words)
                    self._view.forget()
            except ImmureError as error:
                self._observer.failed("rotation", error)
                return False
            return True

    def _leads(self) -> bool:
        now = monotonic()
        if self._led_since is not None and now - self._led_since < _RENEW:
            return True
        leads = self._state.lead(_ROTATION, self._who, seconds=LEASE)
        self._led_since = now if leads else None
        return leads

    def _beat(self) -> None:
        """Once for each time that it leads anew is often enough."""
        if self._led_since is None or self._led_since == self._beaten:
            return
        self._beaten = self._led_since
        try:
            self._state.beat(Beat(self._boot, counter(), int(self._time().timestamp())))
        except ImmureError as error:
            self._observer.failed("beat", error)

    async def _look_after_signing(self) -> None:
        """A key that was compromised signs no more from the moment on that the registry says so: its issuer
        gets another one at once, and not at the next look at what is due."""
        seen: tuple[KeyRecord, ...] = ()
        while True:
            await asyncio.sleep(URGENT)
            try:
                records = await self._view.records()
                if records is seen:
                    continue
                seen = records
                signing = {one.issuer for one in records if one.state is KeyState.ACTIVE}
                if not self._issuers <= signing:
                    await asyncio.to_thread(self._run, urgent=True)
            except RegistryError:
                continue  # rotation finds the same, and says so
            except Exception as error:  # noqa: BLE001 - as above
                self._observer.bug("rotation", error)

    # --- the rest ---

    def seal(self) -> None:
        """Close what batches there are to be closed."""
        if self._sealer is None:
            return
        try:
            for batch in self._sealer.seal_all():
                words = {"issuer": batch.issuer, "number": batch.number, "last": batch.last}
                self._observer.journal.write("batch", **words)
            self._note(self._sealer.ask_witnesses())
        except SealingBusyError:
            return  # another process of this service does it
        except ImmureError as error:
            self._observer.failed("sealing", error)

    def _note(self, asked: Asked | None) -> None:
        """Say once what the witnesses of the log say, and again when they say something else."""
        if asked is None or asked.state == self._witnessed:
            return
        self._witnessed = asked.state
        self._observer.journal.write("witnesses", state=asked.state, reason=asked.words())
        if not asked.enough:
            self._observer.metrics.failed(f"ledger-{asked.state}")

    def sweep(self) -> None:
        """Forget what has run out."""
        try:
            self._state.sweep(int(self._time().timestamp()))
        except ImmureError as error:
            self._observer.failed("sweeping", error)

    def write_fetches(self) -> None:
        """Write down who read the key sets."""
        fetches = self._fetches.drain()
        if not fetches:
            return
        try:
            self._state.fetched(fetches)
        except ImmureError as error:
            self._fetches.put_back(fetches)
            self._observer.failed("fetches", error)

    def end(self) -> None:
        """The last things: a batch, who read, and that others may lead."""
        self.seal()
        self.write_fetches()
        try:
            self._state.resign(self._who)
        except ImmureError as error:
            self._observer.failed("leading", error)
