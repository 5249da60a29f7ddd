"""What may leave, and where to: a policy file (TOML), read strictly.

>>> policy = parse_policy(Path("policy.toml").read_bytes(), "policy.toml", read_file)   # doctest: +SKIP
>>> policy.search.detectors                                                             # doctest: +SKIP
('rsa', 'ec')

Nothing is allowed that the file does not allow. A member that this version does not know is an error, since
it may be meant to forbid something. ``docs/reference/release-policy.md`` describes every member.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from immure.errors import ImmureError, PolicyError
from immure.keymaterial.key import PublicKey
from immure.scanning.options import DETECTORS
from immure.transfer.places import Pattern
from immure.transfer.table import Table, parse_toml

VERSION: Final = 1
MODES: Final = ("quick", "exhaustive")
FORMATS: Final = ("elf-core", "minidump", "hprof", "lime", "avml", "raw")
TEXT_GROUPS: Final = ("tokens", "cookies", "credentials")
#: Checks of a proof, by the names that clearances have for them.
CHECKS: Final = ("scan", "residue", "bytes", "debugger")
#: Gives the bytes of a file that the policy names.
ReadFile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """Which policy it is: the SHA-256 of its file, and of each file of keys that it names."""

    sha256: str
    files: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As logs and receipts have it."""
        return {
            "sha256": self.sha256,
            "files": [{"path": path, "sha256": digest} for path, digest in self.files],
        }


@dataclass(frozen=True, slots=True)
class SignerRules:
    """Who may sign a clearance: these keys (fingerprints), so many of them; ``keys`` are those at hand."""

    allowed: frozenset[str]
    keys: tuple[PublicKey, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class DumpRules:
    """What a dump may be: its format, size, and age."""

    formats: tuple[str, ...]
    max_size: int
    max_age: timedelta | None


@dataclass(frozen=True, slots=True)
class ClearanceRules:
    """How old a clearance may be, and whether it must have been given under this very policy."""

    max_age: timedelta
    same_policy: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """Bytes that a detector may have left out for a reason that has these words in it."""

    detector: str
    reason: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class SearchRules:
    """What must have been searched for, how, and what may have been left out."""

    mode: str
    detectors: tuple[str, ...]
    harvest: bool
    texts: tuple[str, ...]
    keys: tuple[PublicKey, ...]
    thumbprints: frozenset[str]
    allow_not_searched: tuple[Allowance, ...]


@dataclass(frozen=True, slots=True)
class FindingRules:
    """How much of a key may be left, as a fraction of what would give it away; and keys that may stay."""

    max_residual: float
    allow_unredacted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy. ``notes`` are remarks for people on the keys it names."""

    path: str
    version: PolicyVersion
    signers: SignerRules
    dump: DumpRules
    clearance: ClearanceRules
    search: SearchRules
    findings: FindingRules
    proof: tuple[str, ...]
    destinations: tuple[Pattern, ...]
    grant_required: bool
    notes: tuple[str, ...] = ()


class _Files:
    """Reads files of keys, and keeps their digests."""

    def __init__(self, read: ReadFile) -> None:
        self._read = read
        self.digests: dict[str, str] = {}
        self.notes: list[str] = []

    def keys(self, table: Table, name: str) -> tuple[PublicKey, ...]:
        from immure.keymaterial.sources_files import parse_keys

        found: list[PublicKey] = []
        for path in table.texts(name, ()):
            data = self._read(path)
            self.digests[path] = hashlib.sha256(data).hexdigest()
            try:
                loaded = parse_keys(data, path)
            except ImmureError as error:
                raise table.fail(f"'{name}': {error}") from error
            found += loaded.keys
            self.notes += loaded.notes
        return tuple(found)


def parse_policy(data: bytes, path: str, read_file: ReadFile) -> Policy:
    """The policy in the bytes of a file.

    Args:
        data: the file.
        path: for messages.
        read_file: gives the bytes of a file of keys that the policy names; it raises PolicyError.

    Raises:
        PolicyError: this is no policy, or one that this version does not know in full.
    """
    top = parse_toml(data, path)
    if top.number("version", least=0, most=1 << 30) != VERSION:
        raise PolicyError(f"is a policy of another version than {VERSION}, the one that is known", path=path)
    files = _Files(read_file)
    parts: dict[str, Any] = {
        "signers": _signers(top.table("signers", required=True), files),
        "dump": _dump(top.table("dump", required=True)),
        "clearance": _clearance(top.table("clearance", required=True)),
        "search": _search(top.table("search", required=True), files),
        "findings": _findings(top.table("findings")),
        "proof": _proof(top.table("proof", required=True)),
        "destinations": _destinations(top.table("destinations", required=True)),
        "grant_required": _grant(top.table("grant")),
    }
    top.done()
    version = PolicyVersion(hashlib.sha256(data).hexdigest(), tuple(sorted(files.digests.items())))
    return Policy(path=path, version=version, notes=tuple(files.notes), **parts)


def _signers(table: Table, files: _Files) -> SignerRules:
    keys = files.keys(table, "keys")
    pinned = table.thumbprints("thumbprints")
    threshold = table.number("threshold", 1, least=1, most=16)
    table.done()
    allowed = pinned | {key.thumbprint for key in keys}
    if len(allowed) < threshold:
        raise table.fail(f"names {len(allowed)} keys, of which {threshold} would have to sign")
    return SignerRules(allowed, keys, threshold)


def _dump(table: Table) -> DumpRules:
    formats = table.texts("formats", choices=FORMATS)
    rules = DumpRules(formats, table.size("max_size"), table.optional_age("max_age"))
    table.done()
    return rules


def _clearance(table: Table) -> ClearanceRules:
    rules = ClearanceRules(table.age("max_age"), table.flag("same_policy", False))
    table.done()
    return rules


def _search(table: Table, files: _Files) -> SearchRules:
    allowances = []
    for item in table.tables("allow_not_searched"):
        detector = item.text("detector", choices=(*DETECTORS, "all"))
        allowances.append(Allowance(detector, item.text("reason"), item.size("max_bytes")))
        item.done()
    keys = files.keys(table, "keys")
    rules = SearchRules(
        mode=table.text("mode", choices=MODES),
        detectors=table.texts("detectors", choices=DETECTORS),
        harvest=table.flag("harvest", True),
        texts=table.texts("texts", (), choices=TEXT_GROUPS),
        keys=keys,
        thumbprints=table.thumbprints("thumbprints") | {key.thumbprint for key in keys},
        allow_not_searched=tuple(allowances),
    )
    table.done()
    return rules


def _findings(table: Table) -> FindingRules:
    rules = FindingRules(table.fraction("max_residual", 0.0), table.thumbprints("allow_unredacted"))
    table.done()
    return rules


def _proof(table: Table) -> tuple[str, ...]:
    checks = table.texts("checks", choices=CHECKS)
    table.done()
    return checks


def _destinations(table: Table) -> tuple[Pattern, ...]:
    patterns = []
    for text in table.texts("allow"):
        try:
            patterns.append(Pattern.parse(text))
        except ImmureError as error:
            raise table.fail(f"'allow': {error}") from error
    table.done()
    return tuple(patterns)


def _grant(table: Table) -> bool:
    required = table.flag("required", False)
    table.done()
    return required
