"""The whole service in one process: opens what the settings name, keeps keys rotated, closes batches.

service = await Service.start(settings)
...                                  # service.app answers requests
await service.stop()
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import unquote

from immure import clock
from immure.auditlog import AuditLog
from immure.custody import open_signer
from immure.custody.note_signer import NoteSigner
from immure.errors import ImmureError, SignerError, UsageError
from immure.introspection.journal import Journal
from immure.ledger.errors import SealingBusyError
from immure.ledger.ledger import Ledger
from immure.ledger.opening import open_ledger
from immure.ledger.sealing import Sealer
from immure.ledger.store import LedgerStore
from immure.registry.opening import open_store
from immure.registry.store import Store
from immure.signing.app import IssuerEndpoints, SigningApp
from immure.signing.issuing import Mint
from immure.signing.keys import TokenKeys
from immure.signing.rotation import Rotator
from immure.signing.settings import Settings
from immure.signing.settings_file import PIN_SOURCE
from immure.signing.state import State
from immure.signing.users import Users
from immure.signing.watch import Watch

#: Seconds between two looks at what is due.
EVERY: Final = 1.0


class Service:
    """A running service; made by :meth:`start`.

    Attributes:
        app: the ASGI application.
        warning: of the custody backend, if it has one.
    """

    def __init__(self, settings: Settings, *, time: clock.Clock, journal: Journal) -> None:
        self.settings = settings
        self._time = time
        self._journal = journal
        self._task: asyncio.Task[None] | None = None
        self.keys: TokenKeys = open_keys(settings.custody)
        self.registry: Store = open_store(settings.registry)
        self.state = State(settings.state)
        self.ledger = Ledger(open_ledger(settings.ledger))
        self._sealing: LedgerStore = open_ledger(settings.ledger)
        self._sealer = _sealer(settings, self._sealing, time)
        marks = [one.watermark for one in self._sealing.standings()]
        before = datetime.fromtimestamp(max(marks), UTC) if any(marks) else None
        plans = {issuer.url: issuer.plan for issuer in settings.issuers.values()}
        self.rotator = Rotator(self.registry, self.keys, plans, watch=Watch(time, before=before))
        mint = Mint(self.rotator, self.keys, self.ledger, settings.audiences, time=time)
        users = None if settings.users is None else Users.read(settings.users)
        endpoints = {
            name: IssuerEndpoints(settings, name, mint, self.registry, self.state, journal, users, time=time)
            for name in settings.issuers
        }
        self.app = SigningApp(endpoints, journal, ready=self._check_ready)
        self.warning = self.keys.warning

    @classmethod
    async def start(
        cls, settings: Settings, *, time: clock.Clock = clock.now, stream: TextIO | None = sys.stderr
    ) -> Service:
        """Open everything, and see that each issuer has a key that signs.

        Raises:
            ImmureError: something cannot be opened; says what.
        """
        made = cls(settings, time=time, journal=Journal(stream))
        try:
            await made.keys.start()
            if made.warning is not None:
                made._journal.write("warning", reason=made.warning)
            await asyncio.to_thread(made._rotate)
            made._check_ready()
            made._task = asyncio.create_task(made._keep())
        except BaseException:
            await made.stop()
            raise
        return made

    async def stop(self) -> None:
        """Finish what is under way, close a last batch, let go of everything."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self.ledger.close)
        await asyncio.to_thread(self._seal)
        self._sealing.close()
        await self.keys.aclose()
        self.registry.close()
        self.state.close()

    def _check_ready(self) -> None:
        for issuer in self.settings.issuers.values():
            self.rotator.signing(issuer.url)

    async def _keep(self) -> None:
        """Rotation, batches and sweeping, each in its turn; what fails is tried again the next time."""
        swept = time.monotonic()
        while True:
            await asyncio.sleep(EVERY)
            await asyncio.to_thread(self._rotate)
            await asyncio.to_thread(self._seal)
            if time.monotonic() - swept > 60:
                swept = time.monotonic()
                await asyncio.to_thread(self._sweep)

    def _rotate(self) -> None:
        try:
            for step in self.rotator.run():
                self._journal.write("key", action=step.action.value, kid=step.kid, reason=step.reason)
        except ImmureError as error:
            self._note("rotation", error)

    def _seal(self) -> None:
        if self._sealer is None:
            return
        try:
            for batch in self._sealer.seal_all():
                self._journal.write("batch", issuer=batch.issuer, number=batch.number, last=batch.last)
        except SealingBusyError:
            return  # another process of this service does it
        except ImmureError as error:
            self._note("sealing", error)

    def _sweep(self) -> None:
        try:
            self.state.sweep(int(self._time().timestamp()))
        except ImmureError as error:
            self._note("sweeping", error)

    def _note(self, what: str, error: ImmureError) -> None:
        self._journal.write(f"{what}-failed", code=error.code, reason=error.reason)


def open_keys(uri: str) -> TokenKeys:
    """The private keys that a custody URI names: ``keyholder:PATH?pin-source=FILE`` or ``file+unsafe:DIR``.

    Raises:
        SignerError: it names none.
    """
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    if scheme == "keyholder":
        from immure.signing.holder_keys import HolderKeys

        if not query.startswith(PIN_SOURCE) or "&" in query:
            raise SignerError("keyholder: needs ?pin-source=FILE, whose first line opens the key file")
        return HolderKeys(unquote(path), [Path(unquote(query.removeprefix(PIN_SOURCE)))])
    if scheme == "file+unsafe" and not query:
        from immure.signing.file_keys import FileKeys

        return FileKeys(unquote(path))
    raise SignerError("custody is keyholder:PATH?pin-source=FILE or file+unsafe:DIRECTORY")


def _sealer(settings: Settings, store: LedgerStore, time: clock.Clock) -> Sealer | None:
    if settings.ledger_log is None or settings.log_key is None:
        return None
    origin = AuditLog.open(settings.ledger_log, check=False).origin
    signer = NoteSigner(origin, open_signer(settings.log_key))
    log = AuditLog.open(settings.ledger_log, signer=signer, check=False)
    return Sealer(store, log, time=time)


def set_up(settings: Settings, *, origin: str) -> str | None:
    """Make what the service needs and is not there: registry, ledger, its log; the custody's directory.

    Args:
        origin: name of the ledger's log.

    Returns:
        The public key of the log, as those need it who verify the ledger; None if settings name no log.

    Raises:
        ImmureError: something cannot be made.
    """
    from immure.auditlog import NoteKey

    if settings.ledger_log is not None and settings.log_key is None:
        raise UsageError("ledger.log needs ledger.log_key")
    open_store(settings.registry, create=True).close()
    open_ledger(settings.ledger, create=True).close()
    State(settings.state).close()
    if settings.ledger_log is None or settings.log_key is None:
        return None
    with open_signer(settings.log_key) as signer:
        noted = NoteSigner(origin, signer)
        if not (settings.ledger_log / "checkpoint").exists():
            AuditLog.create(settings.ledger_log, origin=origin, signer=noted)
        return NoteKey(origin, noted.public_key).to_vkey()
