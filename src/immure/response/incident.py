"""An incident: a directory with a log of its own, to which entries can only be added.

>>> import tempfile
>>> from pathlib import Path
>>> from immure.custody.generate import generate
>>> from immure.custody import open_signer
>>> folder = Path(tempfile.mkdtemp())
>>> key = open_signer(f"file:{generate(folder / 'trial.key', 'EdDSA').path}")
>>> found = Finding("key-in-dump", kid="k1", issuer="https://login.example", summary="found in app.core")
>>> incident = Incident.open_new(folder / "incident", finding=found, actor="ann", key=key)
>>> incident.add("fact", {"says": "the dump left the room"}, actor="bo", source="mail log").sequence
2
>>> [entry.kind for entry in incident.entries()]
['opened', 'role', 'fact']

In the directory: ``log/`` (:mod:`immure.auditlog`), ``evidence/`` (files that never change) and ``work/``
(what can be made again from the rest). When :meth:`Incident.add` returns, the entry is on the disk and
counted by a signed checkpoint: no crash takes it back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.auditlog import AuditLog
from immure.clock import Clock, now
from immure.custody.note_signer import NoteSigner
from immure.custody.signer import Signer
from immure.errors import LogError
from immure.response.errors import ConflictError, FormError, IncidentError
from immure.response.finding import Finding
from immure.response.lines import PREFIX, check_form, from_log, to_log
from immure.response.locking import exclusive
from immure.response.opening import directory_aside, name_of, origin_of
from immure.response.roles import approvals_of, check_approval, check_role, roles_of
from immure.response.timeline import Confidence, Entry, JsonValue, corrected

__all__ = ["EVIDENCE", "LOG", "WORK", "Finding", "Incident"]

LOG: Final = "log"
EVIDENCE: Final = "evidence"
WORK: Final = "work"


class Incident:
    """An incident's record. Any number of these, in threads and processes, may write to one directory.

    Made by :meth:`open_new` and :meth:`load`.

    Attributes:
        folder: the directory.
        name: of the incident.
        opened: what it was opened on.
    """

    folder: Path
    name: str
    opened: Finding

    def __init__(self, folder: Path, log: AuditLog, *, writable: bool) -> None:
        self.folder = folder
        self._log = log
        self._writable = writable
        self._mutex = threading.RLock()
        self._entries: tuple[Entry, ...] = ()
        self._closings: list[Entry] = []
        self._corrected: set[int] = set()
        self._read()
        if not self._entries or self._entries[0].kind != "opened":
            raise IncidentError("holds a log, but not that of an incident", path=str(folder))
        body = self._entries[0].body
        try:
            self.opened = Finding.from_plain(body.get("finding"))
        except FormError as error:
            raise IncidentError(f"entry 0: {error.reason}", path=str(folder / LOG)) from error
        self.name = str(body.get("name", ""))

    @classmethod
    def open_new(
        cls,
        folder: Path,
        *,
        finding: Finding,
        actor: str,
        key: Signer,
        clock: Clock = now,
        name: str = "",
    ) -> Incident:
        """Open an incident. The directory appears whole, or not at all.

        Args:
            folder: the directory, which must not be there, or be empty.
            finding: what it is opened on.
            actor: who opens it, and leads it.
            key: signs the record's checkpoints (Ed25519).
            clock: tells the time.
            name: by default made of the day and the finding.

        Raises:
            FormError: the actor or the name cannot be so.
            IncidentError: there is something at ``folder``, or it cannot be written.
            SignerError: the key is none of Ed25519.
        """
        finding_body = finding.plain()
        name = name or name_of(finding, clock)
        body: dict[str, JsonValue] = {"name": name, "finding": finding_body}
        check_form("opened", body, actor, finding.source or None)
        signer = NoteSigner(origin_of(name), key)
        lead: dict[str, JsonValue] = {"role": "lead", "person": actor, "granted": True}
        with directory_aside(folder) as made:
            log = AuditLog.create(made / LOG, origin=signer.name, signer=signer, clock=clock)
            sure = Confidence.CONFIRMED
            log.append(PREFIX + "opened", to_log(body, actor, finding.source or None, sure, None))
            log.append(PREFIX + "role", to_log(lead, actor, None, sure, None))
            for room in (EVIDENCE, WORK):
                (made / room).mkdir()
        return cls.load(folder, clock=clock, key=key)

    @classmethod
    def load(cls, folder: Path, *, clock: Clock = now, key: Signer | None = None) -> Incident:
        """The incident in a directory, every entry held against the log's checkpoint.

        Args:
            folder: the directory.
            clock: tells the time of what is added.
            key: the one that it was opened with; without it the record can only be read, and nobody has
                checked who signed it.

        Raises:
            IncidentError: there is none, or its log was altered.
        """
        try:
            log = AuditLog.open(folder / LOG, clock=clock)
            if key is not None:
                log = AuditLog.open(folder / LOG, signer=NoteSigner(log.origin, key), clock=clock)
        except LogError as error:
            raise IncidentError(f"no incident that can be read: {error}", path=str(folder)) from error
        return cls(folder, log, writable=key is not None)

    # --- reading ---

    def entries(self) -> tuple[Entry, ...]:
        """The whole timeline, the oldest first, with what other processes have added meanwhile.

        Raises:
            IncidentError: the log was altered meanwhile.
        """
        with self._mutex:
            if self._writable:
                try:
                    self._log.refresh()
                except LogError as error:
                    raise self._broken(error) from error
                self._read()
            return self._entries

    def roles(self) -> Mapping[str, frozenset[str]]:
        """People by role."""
        return roles_of(self.entries())

    def approvals(self, subject_digest: str) -> frozenset[str]:
        """Distinct people who have approved what has that digest, each an approver at the time."""
        return approvals_of(self.entries(), subject_digest)

    @property
    def origin(self) -> str:
        """The name of its log, and of the key that signs it."""
        return self._log.origin

    @property
    def closed(self) -> Entry | None:
        """The entry that closed it, unless that was corrected."""
        self.entries()
        found = [one for one in self._closings if one.sequence not in self._corrected]
        return found[-1] if found else None

    @property
    def work(self) -> Path:
        """The directory of what can be made again."""
        return self.folder / WORK

    @contextmanager
    def alone(self, work: str, *, seconds: float = 0.0) -> Iterator[None]:
        """Hold a piece of work for this process: ``with incident.alone("notify"): …``.

        Raises:
            BusyError: another process holds it, and has for so many seconds.
        """
        self.work.mkdir(exist_ok=True)
        with exclusive(self.work / f"{work}.lock", seconds=seconds):
            yield

    # --- writing ---

    def add(
        self,
        kind: str,
        body: Mapping[str, JsonValue],
        *,
        actor: str,
        source: str | None = None,
        confidence: Confidence = Confidence.CONFIRMED,
        corrects: int | None = None,
    ) -> Entry:
        """Write an entry. When this returns, it is on the disk.

        Args:
            kind: one of :data:`~immure.response.timeline.KINDS`, but ``opened``.
            body: the particulars: JSON without floating-point numbers.
            actor: who says it.
            source: from where it is known.
            confidence: how sure it is.
            corrects: sequence of an entry that was wrong; a ``correction`` must name one.

        Raises:
            FormError: it cannot be so; nothing was written. (:class:`RoleError`: not by this person.)
            ConflictError: that entry was corrected before: correct the correction.
            IncidentError: it is not certain that it was written.
        """
        check_form(kind, body, actor, source)
        with self._mutex, exclusive(self.folder / "lock"):
            entries = self.entries()
            self._check(entries, kind, body, actor, corrects)
            try:
                line = self._log.append(PREFIX + kind, to_log(body, actor, source, confidence, corrects))
            except LogError as error:
                raise self._broken(error) from error
            self._read()
            return self._entries[line.index]

    def grant_role(self, role: str, person: str, *, actor: str, granted: bool = True) -> Entry:
        """Give somebody a role, or take it away; raises as :meth:`add`."""
        return self.add("role", {"role": role, "person": person, "granted": granted}, actor=actor)

    def approve(self, subject_digest: str, *, actor: str, what: str = "") -> Entry:
        """Approve what has that digest; raises as :meth:`add`."""
        return self.add("approval", {"subject": subject_digest, "what": what}, actor=actor)

    def _check(
        self,
        entries: tuple[Entry, ...],
        kind: str,
        body: Mapping[str, JsonValue],
        actor: str,
        corrects: int | None,
    ) -> None:
        if not self._writable:
            raise IncidentError("was opened to be read only: the key is missing", path=str(self.folder))
        if kind == "opened":
            raise FormError("an incident is opened once")
        if (kind == "correction") and corrects is None:
            raise FormError("a correction names the entry that it corrects")
        if corrects is not None:
            _check_correction(entries, kind, corrects)
        elif (closed := self.closed) is not None:
            raise FormError(f"the incident is closed; correct entry {closed.sequence} to go on with it")
        if kind == "role":
            check_role(entries, body, actor)
        if kind == "approval":
            check_approval(entries, body, actor)

    def _read(self) -> None:
        """Take over what the log has more than we have read."""
        known, new = len(self._entries), []
        if len(self._log) == known:
            return
        try:
            for line in self._log.newest():
                if line.index < known:
                    break
                new.append(from_log(line, path=str(self._log.directory)))
        except LogError as error:
            raise self._broken(error) from error
        new.reverse()
        self._entries = (*self._entries, *new)
        self._closings += [one for one in new if one.kind == "closed"]
        self._corrected |= {one.corrects for one in new if one.corrects is not None}

    def _broken(self, error: LogError) -> IncidentError:
        return IncidentError(error.reason, path=error.path or str(self.folder), offset=error.offset)


def _check_correction(entries: tuple[Entry, ...], kind: str, corrects: int) -> None:
    if not 0 <= corrects < len(entries):
        raise FormError(f"there is no entry {corrects} to correct")
    target = entries[corrects]
    if target.kind in ("opened", "role") or kind in ("role", "approval"):
        raise FormError(f"entry {corrects} is of a kind that is not corrected: write what is so now")
    later = corrected(entries).get(corrects)
    if later:
        raise ConflictError(f"entry {corrects} was corrected by entry {later[-1]}: correct that one")
