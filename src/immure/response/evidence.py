"""Evidence: files copied into the incident, images sealed by the vault, each with its digest in the timeline.

>>> file_name("../../etc/app core.log", 64 * "a")
'aaaaaaaaaaaaaaaa-app_core.log'

A file is written aside and renamed before its entry is written, so that an entry never names what is not
there. What a killed process leaves without an entry is copied again under the same name.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from immure.clock import to_rfc3339
from immure.errors import VaultError
from immure.files import replacing, sync_directory, write_whole
from immure.response.errors import EvidenceError, FormError
from immure.response.incident import EVIDENCE, Incident
from immure.response.timeline import Entry, JsonValue, standing
from immure.response.timestamp import fetch_stamp

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from immure.vault import Vault

#: Kinds of evidence, and what each is.
EVIDENCE_KINDS: Final = {
    "image": "a memory image: it is sealed, and never copied in the clear",
    "log": "a log as it was found",
    "configuration": "settings of an issuer, a relying party, a server",
    "jwks": "a snapshot of a key set",
    "report": "what a scan, a probe or a detection said",
    "message": "what somebody wrote",
}
#: Longest file that is copied: what an entry of a ustar archive can hold. An image goes to the vault.
MOST_BYTES: Final = (8 << 30) - 1
_STEP: Final = 1 << 20
_MOST_NAME: Final = 100
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Tsa:
    """A timestamp authority: its URL, and the certificates that its answers must lead to, if any."""

    url: str
    roots: Sequence[Certificate] = field(default=())


class Collector:
    """Collects evidence into an incident.

    Args:
        incident: its record.
        actor: who collects.
        tsa: is asked for a timestamp over each piece.
        vault: where images are sealed.
    """

    def __init__(
        self, incident: Incident, actor: str, *, tsa: Tsa | None = None, vault: Vault | None = None
    ) -> None:
        self._incident = incident
        self._actor = actor
        self._tsa = tsa
        self._vault = vault

    def collect(self, path: Path, kind: str, *, source: str | None = None, name: str = "") -> Entry:
        """Take a file up; what was taken up before is not a second time.

        Args:
            path: of the file, which stays where it is.
            kind: one of :data:`EVIDENCE_KINDS`.
            source: from where it is; by default its path.
            name: what to call it; by default its own name.

        Returns:
            Its entry in the timeline, which is on the disk, like the file.

        Raises:
            EvidenceError: it cannot be read or written, or the authority gives no timestamp.
            FormError: no such kind, or an image and no vault.
            VaultError: it cannot be sealed.
        """
        if kind not in EVIDENCE_KINDS:
            raise FormError(f"no kind of evidence: {kind[:40]!a}; kinds are {', '.join(EVIDENCE_KINDS)}")
        name = name or path.name
        if kind == "jwks":
            _check_key_set(path)
        facts = self._sealed(path, name) if kind == "image" else self._copied(path, name)
        facts |= {"kind": kind, "name": name, "origin": os.path.abspath(path)}
        known = self._known(facts)
        if known is not None:
            return known
        facts["timestamp"] = self._stamped(str(facts["sha256"]), name)
        where = source or _line(os.path.abspath(path))
        return self._incident.add("evidence", facts, actor=self._actor, source=where)

    def collect_bytes(self, data: bytes, kind: str, *, name: str, source: str) -> Entry:
        """Take up bytes that are no file yet, such as an answer of a server; as :meth:`collect`."""
        if kind not in EVIDENCE_KINDS or kind == "image":
            raise FormError(f"no kind of evidence of this sort: {kind[:40]!a}")
        digest = hashlib.sha256(data).hexdigest()
        target = self._folder() / file_name(name, digest)
        with _explained(str(target)):
            write_whole(target, data, mode=0o400)
        facts = _facts(digest, len(data), target) | {"kind": kind, "name": name, "origin": source}
        known = self._known(facts)
        if known is not None:
            return known
        facts["timestamp"] = self._stamped(digest, name)
        return self._incident.add("evidence", facts, actor=self._actor, source=source)

    def _copied(self, path: Path, name: str) -> dict[str, JsonValue]:
        folder, digest = self._folder(), hashlib.sha256()
        with _explained(str(path)), _regular(path) as stream:
            # the final name has the digest in it, which is known only at the end
            first = folder / f".arriving-{os.getpid()}"
            with replacing(first, mode=0o400) as copy:
                for piece in _pieces(stream, str(path)):
                    digest.update(piece)
                    copy.write(piece)
                size = copy.tell()
            target = folder / file_name(name, digest.hexdigest())
            os.replace(first, target)
            sync_directory(folder)
        return _facts(digest.hexdigest(), size, target)

    def _sealed(self, path: Path, name: str) -> dict[str, JsonValue]:
        if self._vault is None:
            raise FormError("an image is sealed, never copied in the clear: name a vault", path=str(path))
        with _explained(str(path)), _regular(path) as stream:
            try:
                sealed = self._vault.seal(stream, name=name)
            except VaultError as error:
                raise VaultError(error.reason, path=error.path or self._vault.path) from error
        return {
            "file": None,
            "sha256": sealed.digest,
            "size": sealed.size,
            "vault": {"directory": os.path.abspath(self._vault.path), "id": sealed.id},
        }

    def _stamped(self, digest: str, name: str) -> JsonValue:
        """What is to be said of a timestamp over a digest; None without an authority."""
        if self._tsa is None:
            return None
        answer, stamp = fetch_stamp(self._tsa.url, bytes.fromhex(digest), roots=self._tsa.roots)
        target = self._folder() / f"{file_name(name, digest)}.tsr"
        with _explained(str(target)):
            write_whole(target, answer, mode=0o400)
        facts = _facts(hashlib.sha256(answer).hexdigest(), len(answer), target)
        return facts | {
            "tsa": self._tsa.url,
            "time": to_rfc3339(stamp.at),
            "serial": str(stamp.serial),
            "checked": stamp.trusted,
        }

    def _known(self, facts: Mapping[str, JsonValue]) -> Entry | None:
        """The entry of the same bytes from the same place, if it needs no more than it has."""
        for entry in standing(self._incident.entries(), "evidence"):
            same = all(entry.body.get(one) == facts[one] for one in ("sha256", "kind", "origin", "name"))
            if same and (self._tsa is None or entry.body.get("timestamp") is not None):
                return entry
        return None

    def _folder(self) -> Path:
        folder = self._incident.folder / EVIDENCE
        with _explained(str(folder)):
            folder.mkdir(exist_ok=True)
        return folder


def file_name(name: str, digest: str) -> str:
    """What a piece of evidence is called in the incident: the start of its digest, and a harmless name."""
    return f"{digest[:16]}-{_ODD.sub('_', PurePosixPath(name).name)[-_MOST_NAME:] or 'file'}"


def _facts(digest: str, size: int, target: Path) -> dict[str, JsonValue]:
    return {"file": f"{EVIDENCE}/{target.name}", "sha256": digest, "size": size, "vault": None}


def _line(text: str) -> str:
    """A path as a source: what is no line is escaped."""
    return text if text.isprintable() else ascii(text)


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    import stat

    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise EvidenceError("is no regular file", path=str(path))
        yield stream


def _pieces(stream: BinaryIO, path: str) -> Iterator[bytes]:
    left = MOST_BYTES
    while piece := stream.read(_STEP):
        left -= len(piece)
        if left < 0:
            raise EvidenceError(f"is longer than {MOST_BYTES:,} bytes", path=path)
        yield piece


def _check_key_set(path: Path) -> None:
    from immure.response.key_set_snapshot import MOST_BYTES as MOST_KEYS
    from immure.response.key_set_snapshot import check_snapshot

    with _explained(str(path)), _regular(path) as stream:
        check_snapshot(stream.read(MOST_KEYS + 1), str(path))


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvidenceError(error.strerror or str(error), path=path) from error
