"""Clears away what processes that died have left in a vault, and finishes what they had begun.

All of it is done with the vault locked. Nothing is removed that a record speaks of: if in doubt, it stays.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from immure.errors import VaultError
from immure.files import sync_directory
from immure.vault.keys import KeyDirectory, shred
from immure.vault.places import Places, remove
from immure.vault.records import Sealed, parse_tombstone


def sweep(places: Places, keys: KeyDirectory) -> None:
    """Do all that is to be done when a vault is opened.

    Raises:
        OSError: something cannot be removed.
    """
    for path in places.incoming.glob("*.part"):
        if not _is_held(path):
            path.unlink(missing_ok=True)
    for directory in (places.keys, places.records, places.tombstones, places.top):
        for path in directory.glob(".*.part"):  # a small file half written; among keys, it may be half a key
            shred(path)
    for path in places.incoming.glob("*.sealed"):
        settle_arrival(places, keys, path)
    dead = {path.stem for path in places.tombstones.glob("[0-9a-f]*.json")}
    for path in places.dumps.glob("*.sealed"):
        if path.stem in dead:
            _finish_destruction(places, keys, path.stem)


def settle_arrival(places: Places, keys: KeyDirectory, path: Path) -> None:
    """A complete file whose process died in its last steps: admitted if there is a record of it, else gone.

    Raises:
        OSError: it cannot be moved or removed.
    """
    admitted = _is_admitted(places, path.stem)
    if admitted is None:
        return
    if admitted:
        path.rename(places.dump(path.stem))
        sync_directory(places.dumps)
    else:
        keys.destroy(path.stem)
        remove(path)


def bury(places: Places, keys: KeyDirectory, sealed: Sealed) -> None:
    """Destroy a dump of which there is a tombstone. The file goes last: while it is there, whoever finds it
    beside its tombstone knows that the rest may not be done.

    Raises:
        OSError: something cannot be removed.
    """
    keys.destroy(sealed.file)
    if places.find(sealed.id) == sealed:
        remove(places.record(sealed.id))
    remove(places.dump(sealed.file))


def _finish_destruction(places: Places, keys: KeyDirectory, file: str) -> None:
    path = places.tombstone(file)
    tombstone = parse_tombstone(path.read_bytes(), str(path))
    if tombstone.replaced and places.find(tombstone.sealed.id) == tombstone.sealed:
        remove(path)  # it was to be replaced, and the other one did not come
    else:
        bury(places, keys, tombstone.sealed)


def _is_admitted(places: Places, file: str) -> bool | None:
    """Whether a record speaks of that file; None if that cannot be told, because a record is damaged."""
    try:
        return any(sealed.file == file for sealed in places.all_sealed())
    except VaultError:
        return None


def _is_held(path: Path) -> bool:
    """Whether a living process is sealing into that file, or was a moment ago: it removes its own without
    asking for the vault's lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
