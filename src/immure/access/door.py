"""A door: what people, pages, gates and adapters call."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from immure.access.alarms import Sounder
from immure.access.asking import Asking
from immure.access.completing import Completing
from immure.access.continuing import check_continues
from immure.access.errors import AccessError, DeniedError, StaleError
from immure.access.gates import Gates
from immure.access.live import grant_fault
from immure.access.policy import Policy
from immure.access.policy_file import parse_policy
from immure.access.protection import protection_of
from immure.access.records import Record
from immure.access.replaying import digest_of
from immure.access.step import PREFIX
from immure.access.store import DATABASE, Store
from immure.access.texts import encode
from immure.access.webauthn.metadata import Metadata, parse_metadata
from immure.auditlog import JSON, AuditLog, Checkpoint, NoteSigner
from immure.clock import Clock, now
from immure.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

R = TypeVar("R", bound=Record)
#: Where the log of a door is, unless it is elsewhere.
LOG = "log"


class Door(Asking, Completing, Gates):
    """The door of a room. Made by :meth:`create` and :meth:`open`; several processes may have the same one.

    Args of the verbs that :class:`~immure.access.asking.Asking` has: accounts are names as ``prd-ada``.
    """

    def __init__(self, store: Store, sounders: Sequence[tuple[str, Sounder]]) -> None:
        self._store = store
        self._sounders = list(sounders)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        policy: str,
        signer: NoteSigner,
        log: str | os.PathLike[str] | None = None,
        clock: Clock = now,
    ) -> Door:
        """Begin a room: with a policy, and nobody in it.

        Args:
            path: its directory; made if it is not there.
            policy: the text of the policy.
            signer: signs the log, and names it.
            log: the directory of a log that there is already, for instance that of the gate; without it the
                room gets one of its own.
            clock: tells the time.

        Raises:
            PolicyError: the policy cannot be understood.
            AccessError, LogError: there is a door or log already, or it cannot be written.
        """
        parse_policy(policy.encode())
        directory = Path(path)
        if (directory / DATABASE).exists():
            raise AccessError("there is a room already", path=str(directory))
        if log is None:
            opened = AuditLog.create(directory / LOG, origin=signer.name, signer=signer, clock=clock)
        else:
            opened = AuditLog.open(log, signer=signer, clock=clock, check=False)
            if any(entry.kind.startswith(PREFIX) for entry in opened.entries()):
                raise AccessError("the log is that of another room: each has its own", path=str(log))
        door = cls(Store(directory, opened, clock, writable=True, create=True), ())
        room = encode(secrets.token_bytes(16))
        door._store.write("create", {"document": {"act": "create", "room": room, "policy": policy}})
        return door

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        signer: NoteSigner | None = None,
        log: str | os.PathLike[str] | None = None,
        known: Checkpoint | None = None,
        clock: Clock = now,
        sounders: Sequence[tuple[str, Sounder]] = (),
    ) -> Door:
        """Open the door of a room; finish what a crash has broken off, alarms among it.

        Args:
            path: its directory.
            signer: signs the log; without one the door can be asked, and not changed.
            log: the directory of its log, if that is elsewhere.
            known: a checkpoint of the log kept elsewhere. Without it, a database and a log that were put back
                together are not told from ones that never went on.
            clock: tells the time.
            sounders: of alarms, with their names, beside the webhooks of the policy.

        Raises:
            StaleError: the database, or the log, was put back to an older state.
            AccessError, LogError: they cannot be read, or are not what was signed.
        """
        directory = Path(path)
        opened = AuditLog.open(log or directory / LOG, signer=signer, clock=clock, known=known, check=False)
        store = Store(directory, opened, clock, writable=signer is not None, create=False)
        try:
            check_continues(opened, store.standing.checkpoint)
            store.settle()
            door = cls(store, sounders)
            if store.writable:
                door.sound_what_nobody_heard()
        except BaseException:
            store.close()
            raise
        return door

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what is known ---

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        with self._store.looking():
            return self._store.room.policy

    @property
    def open_for_requests(self) -> bool:
        """Whether the founders have all signed."""
        with self._store.looking():
            return self._store.room.open

    @property
    def room_id(self) -> str:
        """The room's own id."""
        with self._store.looking():
            return self._store.room.id

    def time(self) -> datetime:
        """The time by the door's clock, which does not go back; raises ClockError."""
        with self._store.reading() as at:
            return at

    @property
    def log(self) -> AuditLog:
        """The log."""
        return self._store.log

    def records(self, kind: type[R], *, about: str | None = None, state: str | None = None) -> list[R]:
        """Records of a kind (:mod:`immure.access.records`), in the order of their ids."""
        with self._store.looking():
            return list(self._store.rows.find(kind, about=about, state=state))

    def record(self, kind: type[R], identity: str) -> R:
        """One record; raises DeniedError if there is none of that id."""
        with self._store.looking():
            found = self._store.rows.get(kind, identity)
        if found is None:
            raise DeniedError(f"there is no {kind.KIND} {identity[:64]!r}", rule=kind.KIND)
        return found

    def person_fault(self, account: str) -> tuple[str, str] | None:
        """Why a person may not act now; None if they may."""
        with self._store.reading() as at:
            return self._store.room.person_fault(self._store.room.person(account), at)

    def protection_of(self, workstation: str) -> str:
        """Where the key of a workstation is: proven to be in a ``tpm``, or in ``software``."""
        with self._store.looking():
            return protection_of(self._store.room, workstation)

    def grant_fault(self, grant: str) -> tuple[str, str] | None:
        """Why a grant is not live now; None if it is."""
        with self._store.reading() as at:
            return grant_fault(self._store.room, self._store.room.grant(grant), at)

    # --- upkeep ---

    def import_metadata(self, blob: bytes, roots: Sequence[Certificate] = ()) -> Metadata:
        """Take over a blob of the FIDO Metadata Service. Keys of models that are reported broken cannot be
        used from then on.

        Args:
            blob: as it is served.
            roots: what its chain must end at, if the policy does not say (``metadata.roots``).

        Raises:
            UsageError: the policy names the roots, or nobody does.
            MetadataError: it is malformed, not signed as it should be, or its time is over.
            DeniedError: a newer one is in force.
        """
        with self._store.reading() as at:
            rules = self._store.room.policy.metadata
            if bool(rules.roots) == bool(roots):
                words = (
                    "the policy names the roots"
                    if roots
                    else "neither the policy nor the caller names a root"
                )
                raise UsageError(f"metadata of keys: {words}")
            metadata = parse_metadata(blob, rules.roots or roots, signer=rules.signer, at=at)
        models: dict[str, JSON] = {
            name: {"roots": list(one.roots), "statuses": list(one.statuses)}
            for name, one in metadata.models.items()
        }
        document: dict[str, JSON] = {
            "act": "metadata", "number": metadata.number, "sha256": metadata.sha256,
            "next_update": metadata.next_update.isoformat(), "models": models,
        }  # fmt: skip
        self._store.write("metadata", {"document": document})
        return metadata

    def verify(self, told: Callable[[int], None] = lambda _: None) -> int:
        """Make the records anew from the log, with every signature in it verified, and compare; the number of
        entries of the log. ``told`` is told how many were verified. What happens meanwhile is left for the
        next time.

        Raises:
            StaleError: the database holds something that does not follow from the log.
            AccessError: the log holds something that no door would have let in.
        """
        with self._store.looking():  # not for as long as it takes: who writes would have to wait
            position, size = self._store.standing.position, len(self._store.log)
            digest = self._store.rows.digest()
        if digest_of(self._store.log, told, until=position) != digest:
            raise StaleError("the database does not follow from the log", path=str(self._store.directory))
        return size
