"""The whole service in one process: opens what the settings name, keeps keys rotated, closes batches.

service = await Service.start(settings)
...                                  # service.app answers requests
await service.stop()
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
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
from immure.ledger.errors import LedgerError
from immure.ledger.ledger import Ledger
from immure.ledger.opening import open_ledger
from immure.ledger.sealing import Sealer
from immure.ledger.store import LedgerStore
from immure.ledger.witnesses import Witnesses, parse_place
from immure.registry.opening import open_store
from immure.registry.store import Store
from immure.signing.app import SigningApp
from immure.signing.endpoints import IssuerEndpoints
from immure.signing.fetches import FetchLog
from immure.signing.heartbeat import boot_id, counter, expected
from immure.signing.issuing import Mint
from immure.signing.key_view import KeyView
from immure.signing.keys import TokenKeys
from immure.signing.metrics import Metrics
from immure.signing.observer import Observer
from immure.signing.openapi import document
from immure.signing.parts import Parts
from immure.signing.rotation import Rotator
from immure.signing.settings import Settings
from immure.signing.settings_file import PIN_SOURCE
from immure.signing.state_opening import open_state
from immure.signing.upkeep import Upkeep
from immure.signing.users import Users
from immure.signing.watch import Watch

#: Seconds for which a key file may still be in the hands of the process before this one.
_HANDOVER: Final = 5.0
_BUSY: Final = "holder-busy"
#: Settings that cannot change while the service runs.
_FIXED: Final = (
    "registry",
    "ledger",
    "ledger_log",
    "log_key",
    "witnesses",
    "witness_quorum",
    "state",
    "custody",
    "custody_seconds",
    "metrics",
    "certificate_header",
    "listen",
)


class Service:
    """A running service; made by :meth:`start`.

    Attributes:
        app: the ASGI application.
        warning: of the custody backend, if it has one.
    """

    def __init__(self, settings: Settings, *, time: clock.Clock, journal: Journal) -> None:
        self.settings = settings
        self._time = time
        self._observer = Observer(Metrics(), journal)
        self._tasks: list[asyncio.Task[None]] = []
        self._users: Users | None = None
        self.keys: TokenKeys = open_keys(settings.custody)
        self.registry: Store = open_store(settings.registry)
        self.view = KeyView(self.registry)
        self.state = open_state(settings.state)
        self.fetches = FetchLog(time=time)
        self.ledger = Ledger(open_ledger(settings.ledger))
        self._sealing: LedgerStore = open_ledger(settings.ledger)
        plans = {issuer.url: issuer.plan for issuer in settings.issuers.values()}
        rotator = Rotator(self.registry, self.keys, plans, watch=self._watch(time))
        sealer = _sealer(settings, self._sealing, time)
        self.upkeep = Upkeep(
            rotator, plans, self.view, self.state, sealer, self.fetches, self._observer, time=time
        )
        measure = self._measure if settings.metrics else None
        self.app = SigningApp(self._observer, ready=self._check_ready, measure=measure)
        self._serve(settings)
        self.warning = self.keys.warning

    def _watch(self, time: clock.Clock) -> Watch:
        """Knows when the service was last at work: by its batches, and by what it wrote down."""
        beats = self.state.beats()
        known = [one.watermark for one in self._sealing.standings()] + [one.at for one in beats]
        before = datetime.fromtimestamp(max(known), UTC) if any(known) else None
        return Watch(time, before=before, expected=expected(beats, boot_id(), counter()))

    @classmethod
    async def start(
        cls, settings: Settings, *, time: clock.Clock = clock.now, stream: TextIO | None = sys.stderr
    ) -> Service:
        """Open everything, and see that each issuer has a key that signs.

        Raises:
            ImmureError: something cannot be opened; says what.
        """
        journal = Journal(stream)
        made = cls(settings, time=time, journal=journal)
        try:
            await made._start_keys()
            if made.warning is not None:
                journal.write("warning", reason=made.warning)
            await asyncio.to_thread(made.upkeep.rotate)
            await made._check_ready()
            made._tasks = [asyncio.create_task(one) for one in made.upkeep.work()]
        except BaseException:
            await made.stop()
            raise
        return made

    async def stop(self) -> None:
        """Finish what is under way, close a last batch, let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.ledger.close)
        await asyncio.to_thread(self.upkeep.end)
        self._sealing.close()
        await self.keys.aclose()
        self.registry.close()
        await asyncio.to_thread(self.state.close)
        if self._users is not None:
            self._users.close()
        self._observer.metrics.close()

    def reload(self, read: Callable[[], Settings]) -> bool:
        """Go on with other clients, audiences, users and lifetimes of tokens. Requests that are under way are
        answered by what was there before; settings that are wrong, or need a new start, change nothing.

        Args:
            read: reads the settings.

        Returns:
            Whether they are in force.
        """
        try:
            settings = read()
            self._check_same(settings)
            self._serve(settings)
        except ImmureError as error:
            self._observer.failed("reload", error)
            return False
        self._observer.journal.write("reloaded", clients=len(settings.clients))
        return True

    def _check_same(self, settings: Settings) -> None:
        """What is open already stays as it is."""
        for name in _FIXED:
            if getattr(settings, name) != getattr(self.settings, name):
                raise UsageError(f"{name} is another than before: start the service again")
        plans = {name: (issuer.url, issuer.plan) for name, issuer in settings.issuers.items()}
        if plans != {name: (issuer.url, issuer.plan) for name, issuer in self.settings.issuers.items()}:
            raise UsageError("issuers and their keys are others than before: start the service again")

    def _serve(self, settings: Settings) -> None:
        """Answer by these settings from now on."""
        users = None if settings.users is None else Users.read(settings.users)
        if users is not None:
            _check_names(settings, users)
        self.keys.tell({name: one.audience_class for name, one in settings.audiences.items()})
        mint = Mint(
            self.view,
            self.keys,
            self.ledger,
            settings.audiences,
            patience=settings.custody_seconds,
            time=self._time,
        )
        parts = Parts(mint, self.registry, self.view, self.state, self._observer, users, self.fetches)
        endpoints = [IssuerEndpoints(settings, name, parts, time=self._time) for name in settings.issuers]
        self.app.serve(endpoints, json.dumps(document(settings)).encode(), parts.wholes)
        self.settings, self._users = settings, users

    async def _start_keys(self) -> None:
        """A process before this one may take a moment to let go of the key file."""
        end = time.monotonic() + _HANDOVER
        while True:
            try:
                return await self.keys.start()
            except SignerError as error:
                if error.code != _BUSY or time.monotonic() > end:
                    raise
            await asyncio.sleep(0.2)

    async def _check_ready(self) -> None:
        for issuer in self.settings.issuers.values():
            await self.view.signing(issuer.url)

    async def _measure(self) -> None:
        """Bring the gauges up to date, as far as there is anything to be read."""
        now = self._time()
        try:
            standings = {one.issuer: one for one in await asyncio.to_thread(self._sealing.standings)}
            for name, issuer in self.settings.issuers.items():
                key = await self.view.signing(issuer.url)
                began = key.activated_at or key.history[0].at
                values = {"key_age_seconds": (now - began).total_seconds()}
                standing = standings.get(issuer.url)
                if standing is not None:
                    values["ledger_rows"] = standing.last
                    values["ledger_open_rows"] = standing.last - standing.closed
                    if standing.watermark:
                        values["ledger_watermark_lag_seconds"] = now.timestamp() - standing.watermark
                self._observer.metrics.standing(name, **values)
        except ImmureError as error:
            self._observer.failed("measuring", error)


def _check_names(settings: Settings, users: Users) -> None:
    """A client that asks for itself is called by its name; nobody else may be (RFC 9700, section 4.15)."""
    for name, client in settings.clients.items():
        if name in users.subjects(client.issuer):
            raise UsageError(f"clients.{name}: somebody who may sign in there has the same name")


def open_keys(uri: str) -> TokenKeys:
    """The private keys that a custody URI names: ``keyholder:PATH?pin-source=FILE``,
    ``keyholder+unix:SOCKET`` of a holder that listens, ``pkcs11:…`` of a token, ``awskms:alias/PREFIX?…``,
    ``vault:MOUNT?…``, ``file+unsafe:DIR``.

    Raises:
        SignerError: it names none.
    """
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    if scheme == "keyholder+unix":
        from immure.signing.shared_holder_keys import SharedHolderKeys

        return SharedHolderKeys.of(unquote(path), query)
    if scheme == "keyholder":
        from immure.signing.holder_keys import HolderKeys

        if not query.startswith(PIN_SOURCE) or "&" in query:
            raise SignerError("keyholder: needs ?pin-source=FILE, whose first line opens the key file")
        return HolderKeys(unquote(path), [Path(unquote(query.removeprefix(PIN_SOURCE)))])
    if scheme == "file+unsafe" and not query:
        from immure.signing.file_keys import FileKeys

        return FileKeys(unquote(path))
    if scheme == "pkcs11":
        from immure.signing.pkcs11_keys import Pkcs11Keys

        return Pkcs11Keys(uri)
    if scheme == "awskms":
        from immure.signing.awskms_keys import AwsKmsKeys

        return AwsKmsKeys(uri)
    if scheme == "vault":
        from immure.signing.vault_keys import VaultKeys

        return VaultKeys(uri)
    raise SignerError(
        "custody is keyholder:PATH?pin-source=FILE, keyholder+unix:SOCKET, pkcs11:…, awskms:…, vault:…"
        " or file+unsafe:DIRECTORY"
    )


def _sealer(settings: Settings, store: LedgerStore, time: clock.Clock) -> Sealer | None:
    if settings.ledger_log is None or settings.log_key is None:
        return None
    origin = AuditLog.open(settings.ledger_log, check=False).origin
    signer = NoteSigner(origin, open_signer(settings.log_key))
    log = AuditLog.open(settings.ledger_log, signer=signer, check=False)
    witnesses = None
    if settings.witnesses:
        try:
            places = [parse_place(line) for line in settings.witnesses]
            witnesses = Witnesses(places, quorum=settings.witness_quorum)
        except LedgerError as error:
            raise UsageError(f"ledger.witnesses: {error.reason}") from error
    return Sealer(store, log, time=time, witnesses=witnesses)


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
    open_state(settings.state, create=True).close()
    if settings.ledger_log is None or settings.log_key is None:
        return None
    with open_signer(settings.log_key) as signer:
        noted = NoteSigner(origin, signer)
        if not (settings.ledger_log / "checkpoint").exists():
            AuditLog.create(settings.ledger_log, origin=origin, signer=noted)
        return NoteKey(origin, noted.public_key).to_vkey()
