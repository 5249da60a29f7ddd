"""Export: the whole incident as one file that anybody can check offline.

    incident/manifest.json     what this is, and the public key of the log (to be compared, not believed)
    incident/log/…             the log: entries and signed checkpoint
    incident/evidence/…        what was collected
    incident/work/…            what an entry names: radius, letters, advisories
    incident/checkpoint.tsr    a timestamp (RFC 3161) over the checkpoint, if one was asked for

What a vault holds sealed is not in it: the log has its digests. Nor is the file ``hashes`` of the log, which
follows from the entries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from immure.auditlog import NoteKey
from immure.auditlog.storage import CHECKPOINT, ENTRIES
from immure.clock import Clock, now, to_rfc3339
from immure.custody.note_signer import NoteSigner
from immure.custody.signer import Signer
from immure.errors import ImmureError
from immure.files import replacing
from immure.response.bundle_tar import MOST_FILES, TarWriter
from immure.response.errors import BundleError
from immure.response.evidence import Tsa
from immure.response.incident import LOG, Incident
from immure.response.locking import exclusive
from immure.response.named_files import NamedFile, named_files
from immure.response.timeline import Entry
from immure.response.timestamp import fetch_stamp

SCHEMA_ID: Final = "https://immure.example/schemas/incident-bundle-1.json"
TOP: Final = "incident"
MANIFEST: Final = "manifest.json"
STAMP: Final = "checkpoint.tsr"
#: Files of a bundle besides those that entries name: manifest, checkpoint, entries and timestamp.
_OWN_FILES: Final = 4
#: The longest log that a bundle holds.
MOST_LOG: Final = 1 << 30


def log_key(incident: Incident, key: Signer) -> str:
    """The public half of the incident's key, as verifiers take it."""
    note = NoteSigner(incident.origin, key)
    return NoteKey(note.name, note.public_key).to_vkey()


def export(
    incident: Incident, target: Path, *, key: Signer, tsa: Tsa | None = None, clock: Clock = now
) -> dict[str, Any]:
    """Write the bundle, which appears whole or not at all.

    Args:
        incident: what to export.
        target: the file.
        key: the incident's; its public half is put into the manifest.
        tsa: is asked for a timestamp over the log's checkpoint: the whole record was there by then.
        clock: tells when it was made.

    Returns:
        The manifest.

    Raises:
        BundleError: a file that an entry names is not there, or is another one; there are more than a bundle
            may have; or nothing can be written.
        TimestampError: the authority gives none.
    """
    with _explained(target), exclusive(incident.folder / "lock"):
        checkpoint = (incident.folder / LOG / CHECKPOINT).read_bytes()
        entries = incident.entries()
        lines = _log_bytes(incident, len(entries))
        named = named_files(entries)
    if len(named) + _OWN_FILES > MOST_FILES:
        words = f"the entries name {len(named):,} files, and a bundle that is read has {MOST_FILES:,} at most"
        raise BundleError(words, path=str(incident.folder))
    stamp = None
    if tsa is not None:
        stamp, _ = fetch_stamp(tsa.url, hashlib.sha256(checkpoint).digest(), roots=tsa.roots)
    manifest = {
        "schema": SCHEMA_ID,
        "name": incident.name,
        "log_key": log_key(incident, key),
        "made": to_rfc3339(clock().replace(microsecond=0)),
        "entries": len(entries),
        "files": len(named),
        "sealed": _sealed(entries),
        "timestamp": None if tsa is None else tsa.url,
    }
    with _explained(target), replacing(target, mode=0o600) as stream:
        tar = TarWriter(stream)
        tar.add_bytes(f"{TOP}/{MANIFEST}", json.dumps(manifest, indent=1).encode() + b"\n")
        tar.add_bytes(f"{TOP}/{LOG}/{CHECKPOINT}", checkpoint)
        tar.add_bytes(f"{TOP}/{LOG}/{ENTRIES}", lines)
        if stamp is not None:
            tar.add_bytes(f"{TOP}/{STAMP}", stamp)
        for one in named.values():
            _add(tar, incident.folder, one)
        tar.finish()
    return manifest


def _log_bytes(incident: Incident, count: int) -> bytes:
    """The log up to its checkpoint; what a broken append has left behind is not of it."""
    path = incident.folder / LOG / ENTRIES
    if path.stat().st_size > MOST_LOG:
        raise BundleError(f"a log of more than {MOST_LOG:,} bytes", path=str(path))
    lines = path.read_bytes().split(b"\n")[:count]
    return b"".join(line + b"\n" for line in lines)


def _add(tar: TarWriter, folder: Path, one: NamedFile) -> None:
    path, digest = folder / one.path, hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
            if digest.hexdigest() != one.sha256:
                raise BundleError(f"is not what entry {one.sequence} says: it was altered", path=str(path))
            size = stream.tell()
            stream.seek(0)
            tar.add(f"{TOP}/{one.path}", stream, size)
    except FileNotFoundError as error:
        raise BundleError(f"is named by entry {one.sequence} and not there", path=str(path)) from error


def _sealed(entries: tuple[Entry, ...]) -> list[dict[str, Any]]:
    """What a vault holds, and which entry says so."""
    found = []
    for entry in entries:
        vault = entry.body.get("vault")
        if entry.kind == "evidence" and isinstance(vault, dict):
            found.append({"entry": entry.sequence, "id": vault.get("id"), "name": entry.body.get("name")})
    return found


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except ImmureError:
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(target)
        raise BundleError(error.strerror or str(error), path=where) from error
