"""The settings of a capture: ``/etc/immure/capture.toml``, which ``install`` writes.

>>> Settings.from_toml('keep = "redacted"\\nmemory = "2 GiB"').memory
2147483648
>>> Settings.from_toml('kep = "redacted"')
Traceback (most recent call last):
...
immure.errors.UsageError: unknown setting 'kep'
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from immure.capture.keeping import KEEP, Keep
from immure.capture.line import Bounds
from immure.dumps.limits import GIB, KIB, MIB, TIB
from immure.errors import UsageError

CONFIG: Final = Path("/etc/immure/capture.toml")
_UNITS: Final = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}
_SIZE: Final = re.compile(r"([0-9]{1,15}) ?([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_SIZES: Final = ("memory", "disk", "max_size", "margin", "vault_limit")
_MOST_MEMORY: Final = 4 * GIB


@dataclass(frozen=True, slots=True)
class Settings:
    """How to capture. Sizes are bytes; in the file they may have units (``"2 GiB"``).

    Attributes:
        keep: ``sealed`` (the core as it is), ``redacted`` (only a redacted one, whose redaction was proved),
            or ``nothing`` (what a scan says).
        vault: directory of the vault.
        vault_key: file of the key that its keys are wrapped with, if they are.
        records: directory of what is kept of each capture besides: who crashed, what was found.
        spool: directory of the encrypted, unlinked files that cores wait in.
        runtime: directory of the sockets and the state file.
        keys: sources of public keys to look for.
        scan, exhaustive: whether to scan each core (always if it is to be redacted), and how.
        reading, in_hand, waiting, patience: see :class:`~immure.capture.line.Bounds`.
        workers: cores that are sealed, scanned or redacted at the same time.
        memory, disk: bytes that cores take in memory and in the spool directory; 0 for an eighth of the
            machine's memory, and for no bound but the free space.
        max_size: bytes of the largest core that is taken, zeros included.
        margin: free bytes that are left on the file systems of spool and vault.
        vault_limit: bytes of the vault that captures may take; 0 for no bound but the free space.
        rotate: destroy the oldest captures rather than refuse new ones.
        forward_to: a ``core_pattern`` with ``|`` that gets the redacted core, too.
    """

    keep: Keep = "sealed"
    vault: str = "/var/lib/immure/vault"
    vault_key: str | None = None
    records: str = "/var/lib/immure/captures"
    spool: str = "/var/lib/immure/spool"
    runtime: str = "/run/immure"
    keys: tuple[str, ...] = ()
    scan: bool = True
    exhaustive: bool = False
    reading: int = 4
    in_hand: int = 32
    waiting: int = 256
    patience: float = 60.0
    workers: int = 2
    memory: int = 0
    disk: int = 0
    max_size: int = 256 * GIB
    margin: int = GIB
    vault_limit: int = 0
    rotate: bool = False
    forward_to: str | None = None

    @property
    def core_socket(self) -> Path:
        """Where the kernel connects."""
        return Path(self.runtime) / "core.sock"

    @property
    def handle_socket(self) -> Path:
        """Where pipe handlers and ``status`` connect."""
        return Path(self.runtime) / "handle.sock"

    @property
    def state_file(self) -> Path:
        """What the server says of itself."""
        return Path(self.runtime) / "capture.json"

    @property
    def bounds(self) -> Bounds:
        """The bounds of the line."""
        return Bounds(self.reading, self.in_hand, self.waiting, self.patience)

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory for all spools together."""
        if self.memory:
            return self.memory
        return min(_MOST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8)

    @property
    def disk_bytes(self) -> int:
        """Bytes of disk for all spools together."""
        return self.disk or TIB

    @classmethod
    def from_toml(cls, text: str, path: str | None = None) -> Settings:
        """The settings in a file.

        Raises:
            UsageError: it is no TOML, or a setting is unknown or makes no sense.
        """
        try:
            return cls.from_json(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"is not TOML: {error}", path=path) from error
        except UsageError as error:
            raise UsageError(error.reason, path=path) from error

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Settings:
        """The settings in a table; raises as :meth:`from_toml`."""
        known = {field.name: field for field in fields(cls)}
        for name in values:
            if name not in known:
                raise UsageError(f"unknown setting '{name}'")
        settings = cls(**{name: _value(name, value, known[name].default) for name, value in values.items()})
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: says what.
        """
        if self.keep not in KEEP:
            raise UsageError(f"keep is one of {', '.join(KEEP)}")
        if self.workers < 1:
            raise UsageError("there must be a worker")
        if self.forward_to is not None and self.keep != "redacted":
            raise UsageError('only redacted cores are handed on: that takes keep = "redacted"')
        if self.forward_to is not None and not self.forward_to.startswith("|/"):
            raise UsageError("forward_to is the line of core_pattern of a program: |/path …")
        self.bounds.check()

    def to_toml(self) -> str:
        """The settings that differ from the defaults, as the file has them."""
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                lines.append(f"{field.name} = {_toml(value)}")
        return "\n".join([*lines, ""])


def read_settings(path: Path = CONFIG, *, must_exist: bool = False) -> Settings:
    """The settings in a file; the defaults if there is none and there need not be.

    Raises:
        UsageError: it cannot be read or understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must_exist:
            raise UsageError("there is no such file", path=str(path)) from None
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", path=str(path)) from error
    return Settings.from_toml(text, str(path))


def parse_size(text: str) -> int:
    """A number of bytes: ``512M``, ``2 GiB``, ``4096``. Units are powers of 1024.

    Raises:
        UsageError: this is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text[:40]}' is no size: 512M, 2 GiB, 4096")
    return int(match[1]) * _UNITS[match[2].upper()]


def _value(name: str, value: Any, default: Any) -> Any:
    if name in _SIZES and isinstance(value, str):
        return parse_size(value)
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    wanted: tuple[type, ...] = (str,) if default is None else (type(default),)
    if wanted == (float,):
        wanted = (float, int)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise UsageError(f"'{name}' has a value of the wrong type")
    if isinstance(value, int) and value < 0:
        raise UsageError(f"'{name}' is negative")
    return value


def _toml(value: Any) -> str:
    import json

    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value) if isinstance(value, bool | str) else str(value)
