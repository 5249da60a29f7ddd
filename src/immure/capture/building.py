"""From settings to those who carry them out: the vault, the scanner, the redactor."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from immure.capture.forwarding import ProgramForwarder
from immure.capture.inspecting import Inspector
from immure.capture.keeping import Keeper, Redactor
from immure.capture.retention import BoundedVault
from immure.capture.settings import Settings
from immure.errors import UsageError
from immure.keymaterial.key import PublicKey
from immure.scanning.options import Mode, ScanOptions
from immure.vault import FileWrapping, Vault


def keeper_of(settings: Settings, *, rotated: Callable[[str], None] = lambda _: None) -> Keeper:
    """Who keeps cores by these settings; ``rotated`` is told of captures that had to go.

    Raises:
        VaultError: the vault cannot be opened.
        KeySourceError: the public keys cannot be read.
    """
    keys = _keys(settings)
    mode: Mode = "exhaustive" if settings.exhaustive else "quick"
    options = ScanOptions(mode=mode, threads=1)
    vault = open_vault(settings)
    sealer = BoundedVault(
        vault,
        settings.vault,
        limit=settings.vault_limit or None,
        rotate=settings.rotate,
        margin=settings.margin,
        destroyed=rotated,
    )
    return Keeper(
        settings.keep,
        sealer,
        Inspector(keys, options) if settings.scan or settings.keep == "nothing" else None,
        _redactor(settings, keys, options) if settings.keep == "redacted" else None,
        ProgramForwarder(settings.forward_to) if settings.forward_to else None,
    )


def open_vault(settings: Settings) -> Vault:
    """The vault of these settings, which is made if there is none.

    Raises:
        VaultError: it can be neither made nor opened.
        UsageError: its directory's parent does not exist.
    """
    path = Path(settings.vault)
    wrapping = FileWrapping(settings.vault_key) if settings.vault_key is not None else None
    if not path.parent.is_dir():
        raise UsageError("its parent directory does not exist", path=settings.vault)
    with _alone_in(path.parent):
        if not (path / "vault.json").exists():
            return Vault.create(path, wrapping=wrapping)
    return Vault.open(path, wrapping=wrapping)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two handlers of two crashes must not make the same vault at once."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _keys(settings: Settings) -> list[PublicKey]:
    if not settings.keys:
        return []
    from immure.keymaterial.sources import load_keys

    return [key for source in settings.keys for key in load_keys(source).keys]


def _redactor(settings: Settings, keys: list[PublicKey], options: ScanOptions) -> Redactor:
    from immure.capture.redacting import ProvingRedactor
    from immure.redact.options import RedactOptions

    return ProvingRedactor(keys, RedactOptions(scan=options))
