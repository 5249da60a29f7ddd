"""What a redaction may be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from immure.keymaterial.private import PrivateKey
from immure.scanning.options import ScanOptions
from immure.secret import Secret

#: Groups of rules for texts, beyond key material (:mod:`immure.redact.rules`).
TEXT_GROUPS: tuple[str, ...] = ("tokens", "cookies", "credentials")


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """A secret of which the user has the bytes, such as a password or a symmetric key; ``name`` is shown."""

    name: str
    value: Secret[bytes]


@dataclass(frozen=True, slots=True)
class RedactOptions:
    """How to redact.

    Attributes:
        scan: how to search for keys.
        texts: names out of :data:`TEXT_GROUPS`.
        known: private keys that are to be erased whether the scan finds them or not.
        secrets: secrets whose bytes are known, to be erased in every writing.
        keep: what to keep of memory: ``all``, or any of ``stacks``, ``files`` (mappings of files), or names
            of regions with ``*`` for any characters; what is not kept is erased. Headers and notes stay.
        most_spans: an image with more places than this is refused.
        debugger: let a debugger compare the dump before and after.
        debugger_seconds: how long that may take for each of them.
    """

    scan: ScanOptions = field(default_factory=ScanOptions)
    texts: tuple[str, ...] = ()
    known: tuple[PrivateKey, ...] = ()
    secrets: tuple[NamedSecret, ...] = ()
    keep: tuple[str, ...] = ("all",)
    most_spans: int = 1_000_000
    debugger: bool = True
    debugger_seconds: float = 120.0
