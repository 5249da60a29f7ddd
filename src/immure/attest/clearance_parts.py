"""The parts of a clearance (:mod:`immure.attest.clearance`): values, and how JSON has them.

``docs/reference/clearance-predicate.md`` says what each field means. A field that is not known is refused, so
that a new field needs a new version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from immure.attest.fields import MAX_NAME, Fields

Mode = Literal["quick", "exhaustive"]
FindingKind = Literal["named", "harvested", "unnamed"]
KeyType = Literal["RSA", "EC", "OKP"]

MAX_KEYS: Final = 100_000
MAX_FINDINGS: Final = 100_000
MAX_RANGES: Final = 500_000
MAX_NAMES: Final = 1000
_NAME_LISTS: Final = ("detectors", "texts", "known", "secrets", "keep")


def plain(value: Any) -> dict[str, Any]:
    """The attributes of a value that has no other values in it."""
    return {name: getattr(value, name) for name in value.__slots__}


@dataclass(frozen=True, slots=True)
class Tool:
    """The program that made the clearance."""

    name: str
    version: str

    @classmethod
    def read(cls, fields: Fields) -> Tool:
        """From JSON."""
        return cls(fields.name("name"), fields.name("version"))


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file by its SHA-256 digest and size."""

    sha256: str
    size: int

    @classmethod
    def read(cls, fields: Fields) -> FileFacts:
        """From JSON."""
        return cls(fields.digest("sha256"), fields.integer("size"))


@dataclass(frozen=True, slots=True)
class DumpFacts:
    """The file that is cleared: what it is, how it is compressed (None: not), and its size in bytes."""

    format: str
    codec: str | None
    size: int

    @classmethod
    def read(cls, fields: Fields) -> DumpFacts:
        """From JSON."""
        codec = fields.nullable("codec", fields.name)
        return cls(fields.name("format"), codec, fields.integer("size"))


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A public key by its name, and what is known of it."""

    thumbprint: str
    kty: KeyType
    kid: str | None
    issuer: str | None

    @classmethod
    def read(cls, fields: Fields) -> KeyFacts:
        """From JSON."""
        kty: KeyType = fields.choice("kty", get_args(KeyType))
        kid, issuer = (fields.nullable(name, fields.text) for name in ("kid", "issuer"))
        return cls(fields.thumbprint("thumbprint"), kty, kid, issuer)


@dataclass(frozen=True, slots=True)
class SearchedKey:
    """A key that was searched for, and where it was learned."""

    key: KeyFacts
    source: str

    @classmethod
    def read(cls, fields: Fields) -> SearchedKey:
        """From JSON, where the key's members stand beside ``source``."""
        return cls(KeyFacts.read(fields), fields.text("source"))

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**plain(self.key), "source": self.source}


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched for, and how.

    Attributes:
        mode, detectors, harvest: how keys were searched for.
        texts: groups of rules for secrets that are texts.
        known: names of private keys that were given.
        secrets: names of secrets whose bytes were given.
        keep: what was kept of memory.
        keys: the keys that were named.
    """

    mode: Mode
    detectors: tuple[str, ...]
    harvest: bool
    texts: tuple[str, ...]
    known: tuple[str, ...]
    secrets: tuple[str, ...]
    keep: tuple[str, ...]
    keys: tuple[SearchedKey, ...]

    @classmethod
    def read(cls, fields: Fields) -> Searched:
        """From JSON."""
        mode: Mode = fields.choice("mode", get_args(Mode))
        harvest, keys = fields.flag("harvest"), fields.items("keys", MAX_KEYS, SearchedKey.read)
        detectors, texts, known, secrets, keep = (
            fields.texts(name, MAX_NAMES, MAX_NAME) for name in _NAME_LISTS
        )
        return cls(mode, detectors, harvest, texts, known, secrets, keep, keys)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        names = {name: list(getattr(self, name)) for name in _NAME_LISTS}
        return {
            "mode": self.mode,
            "harvest": self.harvest,
            **names,
            "keys": [one.to_json() for one in self.keys],
        }


@dataclass(frozen=True, slots=True)
class NotSearched:
    """A range that a detector did not search (``all``: none did), and why."""

    offset: int
    length: int
    detector: str
    reason: str

    @classmethod
    def read(cls, fields: Fields) -> NotSearched:
        """From JSON."""
        begin, length = fields.integer("offset"), fields.integer("length")
        return cls(begin, length, fields.name("detector"), fields.text("reason"))


@dataclass(frozen=True, slots=True)
class ClearedFinding:
    """A key that was in the source.

    Attributes:
        kind: how it came to be searched for.
        proof: why it is certain, in words.
        occurrences: places where it was.
        residual_bits: bits of its secret numbers that can still be read in the dump.
    """

    key: KeyFacts
    kind: FindingKind
    proof: str
    occurrences: int
    residual_bits: int

    @classmethod
    def read(cls, fields: Fields) -> ClearedFinding:
        """From JSON."""
        key = fields.inside("key", KeyFacts.read)
        kind: FindingKind = fields.choice("kind", get_args(FindingKind))
        counts = fields.integer("occurrences"), fields.integer("residual_bits")
        return cls(key, kind, fields.text("proof"), *counts)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**plain(self), "key": plain(self.key)}


@dataclass(frozen=True, slots=True)
class Redaction:
    """Bytes that were erased: what stood there, how it was written, and whose it was (a thumbprint)."""

    offset: int
    length: int
    kind: str
    encoding: str
    key: str | None

    @classmethod
    def read(cls, fields: Fields) -> Redaction:
        """From JSON."""
        begin, length, kind = fields.integer("offset"), fields.integer("length"), fields.name("kind")
        encoding = fields.text("encoding", MAX_NAME, least=0)
        return cls(begin, length, kind, encoding, fields.nullable("key", fields.thumbprint))


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy said: its digest, whether the dump may leave, and the rules that were asked."""

    policy: str
    allowed: bool
    rules: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> Decision:
        """From JSON."""
        return cls(fields.digest("policy"), fields.flag("allowed"), fields.texts("rules", MAX_NAMES))

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"policy": self.policy, "allowed": self.allowed, "rules": list(self.rules)}
