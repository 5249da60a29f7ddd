"""Checks a bundle, or an incident where it stands, offline: the log, every file, every timestamp.

Nothing is asked of the network or of the one who made it; trust comes from the log's public key and, for
timestamps, from the authority's certificate, both got from elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from immure.auditlog import AuditLog, Checkpoint, NoteKey, parse_checkpoint, parse_vkey, verify_log
from immure.auditlog.storage import CHECKPOINT, ENTRIES
from immure.clock import to_rfc3339
from immure.errors import LogError
from immure.response.bundle import MANIFEST, MOST_LOG, SCHEMA_ID, STAMP, TOP
from immure.response.bundle_tar import Box, FolderBox, TarBox, copy_out
from immure.response.errors import BundleError, IncidentError, TimestampError
from immure.response.incident import LOG
from immure.response.lines import from_log
from immure.response.named_files import NamedFile, named_files
from immure.response.timeline import Entry
from immure.response.timestamp import MOST_ANSWER, check_stamp

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Result = Literal["holds", "altered", "not checked", "elsewhere"]
REPORT_SCHEMA: Final = "https://immure.example/schemas/incident-verification-1.json"
_MOST_SMALL: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: ``log``, ``timeline``, a file's name.
        result: ``elsewhere``: sealed in a vault, of which the log has the digest.
        words: what is so.
    """

    what: str
    result: Result
    words: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check has shown.

    Attributes:
        path: of the bundle or directory.
        name: of the incident; empty if the log does not hold.
        checks: everything that was looked at.
    """

    path: str
    name: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Literal["holds", "altered", "incomplete"]:
        """``incomplete``: nothing is wrong with what could be checked, and not everything could."""
        results = {one.result for one in self.checks}
        if "altered" in results:
            return "altered"
        return "incomplete" if "not checked" in results else "holds"

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        checks = [{"what": one.what, "result": one.result, "words": one.words} for one in self.checks]
        return {"schema": REPORT_SCHEMA, "path": self.path, "name": self.name, "verdict": self.verdict,
                "checks": checks}  # fmt: skip


def verify_bundle(
    path: Path,
    *,
    key: NoteKey | bytes | None = None,
    known: Checkpoint | None = None,
    roots: Sequence[Certificate] = (),
) -> Verification:
    """Check a bundle, or the directory of an incident.

    Args:
        path: of it.
        key: public key of the log, got from elsewhere. Without it, the key that a bundle names itself is
            taken, and the result is incomplete.
        known: a checkpoint kept from before, which the log must continue.
        roots: certificates of timestamp authorities.

    Raises:
        BundleError: it cannot be read, or is no bundle.
    """
    folder = path.is_dir()
    box: Box = FolderBox(path) if folder else TarBox(path)
    try:
        return _Checker(box, "" if folder else f"{TOP}/", key, known, list(roots)).run()
    finally:
        box.close()


class _Checker:
    def __init__(
        self,
        box: Box,
        top: str,
        key: NoteKey | bytes | None,
        known: Checkpoint | None,
        roots: Sequence[Certificate],
    ) -> None:
        self._box, self._top, self._key, self._known, self._roots = box, top, key, known, roots
        self._checks: list[Check] = []

    def run(self) -> Verification:
        manifest = self._manifest() if self._top else {}
        key, own = self._key, manifest.get("log_key")
        if key is None and isinstance(own, str):
            try:
                key = parse_vkey(own)
            except LogError as error:
                raise BundleError(
                    f"names no public key of its log: {error.reason}", path=self._box.path
                ) from error
        entries = self._log(key)
        name = str(entries[0].body.get("name", "")) if entries else ""
        if entries:
            self._files(entries)
            self._sealed(entries)
        self._checkpoint_stamp()
        return Verification(self._box.path, name, tuple(self._checks))

    def _say(self, what: str, result: Result, words: str) -> None:
        self._checks.append(Check(what, result, words))

    def _manifest(self) -> Mapping[str, Any]:
        data = self._small(MANIFEST, _MOST_SMALL)
        try:
            value = json.loads(data or b"")
        except (ValueError, RecursionError) as error:
            raise BundleError("is no bundle: its manifest is no JSON", path=self._box.path) from error
        if not isinstance(value, dict) or value.get("schema") != SCHEMA_ID:
            raise BundleError(f"is no bundle of the schema {SCHEMA_ID}", path=self._box.path)
        return value

    def _small(self, name: str, most: int) -> bytes | None:
        """A file as bytes; raises BundleError if it is longer than it may be."""
        pieces = self._box.pieces(self._top + name)
        if pieces is None:
            return None
        data = b""
        for piece in pieces:
            data += piece
            if len(data) > most:
                raise BundleError(f"{name} is longer than {most:,} bytes", path=self._box.path)
        return data

    def _log(self, key: NoteKey | bytes | None) -> tuple[Entry, ...]:
        """The timeline, if the log holds. The checkpoint is copied first: whoever adds to an incident
        meanwhile writes the entry before the checkpoint that counts it."""
        with tempfile.TemporaryDirectory(prefix="immure-verify-") as aside:
            for name, most in ((CHECKPOINT, _MOST_SMALL), (ENTRIES, MOST_LOG)):
                if not copy_out(self._box, f"{self._top}{LOG}/{name}", Path(aside, name), most=most):
                    self._say("log", "altered", f"there is no {name}")
                    return ()
            try:
                return self._replayed(Path(aside), key)
            except (LogError, IncidentError) as error:
                place = "" if error.offset is None else f" (at offset {error.offset:#x})"
                self._say("log", "altered", error.reason + place)
                return ()

    def _replayed(self, folder: Path, key: NoteKey | bytes | None) -> tuple[Entry, ...]:
        if key is None:
            log = AuditLog.open(folder, known=self._known)
            self._say("log", "not checked", f"{len(log):,} entries hold together; who signed them was not"
                      " checked: no public key was given")  # fmt: skip
        else:
            found = verify_log(folder, public_key=key, known=self._known)
            words = f"{found.checkpoint.size:,} entries, signed by {found.key}"
            self._say("log", "holds", words)
            if self._key is None:
                self._say("key", "not checked", "the bundle names this key itself: compare it (--log-key)")
            log = AuditLog.open(folder)
        entries = tuple(from_log(line, path=f"{LOG}/{ENTRIES}") for line in log.entries())
        if not entries or entries[0].kind != "opened":
            raise IncidentError("is a log, but not that of an incident")
        self._say("timeline", "holds", f"{len(entries):,} entries of an incident")
        return entries

    def _files(self, entries: tuple[Entry, ...]) -> None:
        try:
            named = named_files(entries)
        except IncidentError as error:
            self._say("timeline", "altered", error.reason)
            return
        for one in named.values():
            self._file(one)
        log = {f"{self._top}{LOG}/{name}" for name in (ENTRIES, CHECKPOINT, "hashes", "lock")}
        own = {self._top + name for name in (MANIFEST, STAMP)} | log
        for name in self._box.names():
            path = name.removeprefix(self._top)
            if name not in own and path not in named and (self._top or path.startswith("evidence/")):
                self._say(name, "not checked", "no entry names it")

    def _file(self, one: NamedFile) -> None:
        pieces = self._box.pieces(self._top + one.path)
        if pieces is None:
            self._say(one.path, "altered", f"entry {one.sequence} names it, and it is not there")
            return
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
        if digest.hexdigest() != one.sha256:
            self._say(one.path, "altered", f"is not what entry {one.sequence} says: another SHA-256")
            return
        if one.stamped is None:
            self._say(one.path, "holds", f"{size:,} bytes, as entry {one.sequence} says")
        else:
            self._stamp(one.path, bytes.fromhex(one.stamped))

    def _stamp(self, name: str, digest: bytes) -> None:
        try:
            answer = self._small(name, MOST_ANSWER) or b""
            stamp = check_stamp(answer, digest, roots=self._roots)
        except (TimestampError, BundleError) as error:
            self._say(name, "altered", error.reason)
            return
        when = f"was there on {to_rfc3339(stamp.at)}"
        if stamp.trusted:
            self._say(name, "holds", f"what it is about {when}")
        else:
            self._say(name, "not checked", f"says that it {when}; no certificate was given (--tsa-ca)")

    def _sealed(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            vault = entry.body.get("vault")
            if entry.kind == "evidence" and isinstance(vault, Mapping):
                what = f"{entry.body.get('name', '')}"
                self._say(what[:200], "elsewhere", f"sealed in a vault as {vault.get('id', '')}")

    def _checkpoint_stamp(self) -> None:
        checkpoint = self._small(f"{LOG}/{CHECKPOINT}", _MOST_SMALL)
        if checkpoint is None or self._box.pieces(self._top + STAMP) is None:
            return
        try:
            parse_checkpoint(checkpoint)
        except LogError:
            return  # said of the log already
        self._stamp(STAMP, hashlib.sha256(checkpoint).digest())
