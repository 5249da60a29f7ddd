"""A dump, its clearance, and all that a release needs, in a directory; each part can be made otherwise."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from immure.attest.clearance import Clearance
from immure.attest.sign import sign_statement
from immure.auditlog import AuditLog, Entry
from immure.clock import to_rfc3339
from immure.custody import Signer, open_signer
from immure.custody.note_signer import NoteSigner
from immure.transfer import (
    ClearanceFile,
    EnvelopeVerifier,
    FileSource,
    Gate,
    PolicyFile,
    Receipt,
    Request,
    open_destination,
)
from immure.transfer.destinations import Destination
from immure.vault import Vault

RAM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ORIGIN = "logs.example/gate"
DUMP = b"\x7fELF a dump in which nothing is left. " * 60_000  # a little more than two pieces
THUMBPRINT = "A" * 43
OTHER_KEY = "B" * 43

POLICY = """
version = 1

[signers]
keys = ["release.pub"]

[dump]
formats = ["elf-core"]
max_size = "4 MiB"
max_age = "30d"

[clearance]
max_age = "24h"

[search]
mode = "exhaustive"
detectors = ["rsa", "ec"]
thumbprints = ["{thumbprint}"]

[findings]
max_residual = 0.25

[proof]
checks = ["scan", "residue", "bytes"]

[destinations]
allow = ["file://{out}"]
""".replace("{thumbprint}", THUMBPRINT)


def key_facts(thumbprint: str = THUMBPRINT) -> dict[str, Any]:
    return {"thumbprint": thumbprint, "kty": "RSA", "kid": "2026-11", "issuer": None}


def clearance_json(dump: bytes = DUMP) -> dict[str, Any]:
    """What a good clearance says."""
    return {
        "tool": {"name": "immure", "version": "0.1"},
        "issued": to_rfc3339(NOW - timedelta(hours=1)),
        "expires": to_rfc3339(NOW + timedelta(hours=1)),
        "dump": {"format": "elf-core", "codec": None, "size": len(dump)},
        "source": {"sha256": "0" * 64, "size": len(dump)},
        "searched": {
            "mode": "exhaustive",
            "detectors": ["rsa", "montgomery", "ec", "structure"],
            "harvest": True,
            "texts": ["tokens"],
            "known": [],
            "secrets": [],
            "keep": ["all"],
            "keys": [{**key_facts(), "source": "jwks.json"}],
        },
        "not_searched": [],
        "findings": [
            {
                "key": key_facts(),
                "kind": "named",
                "proof": "a prime divides n",
                "occurrences": 2,
                "residual_bits": 100,
            }
        ],
        "redactions": [
            {"offset": 16, "length": 128, "kind": "key", "encoding": "le64", "key": THUMBPRINT},
        ],
        "proof": {
            "holds": True,
            "complete": False,
            "searched_bytes": len(dump),
            "fragments": 0,
            "checks": [
                {"name": "scan", "status": "ok", "detail": ""},
                {"name": "residue", "status": "ok", "detail": ""},
                {"name": "bytes", "status": "ok", "detail": ""},
                {"name": "debugger", "status": "not done", "detail": "no debugger reads this"},
            ],
            "residues": [
                {
                    "key": THUMBPRINT,
                    "kind": "RSA-2048",
                    "bits_left": 100,
                    "bits": 10_000,
                    "bounds": [
                        {
                            "name": "half of a prime",
                            "share_ppm": 50_000,
                            "enough_ppm": 500_000,
                            "limit_ppm": 100_000,
                        }
                    ],
                }
            ],
        },
        "decision": None,
    }


def changed(value: Any, path: str, new: Any) -> Any:
    """A copy of JSON in which the member at ``path`` (``proof.checks.0.result``) is another."""
    copy = json.loads(json.dumps(value))
    *outer, last = path.split(".")
    at = copy
    for name in outer:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = new
    return copy


@cache
def private_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def signer(directory: Path, name: str = "release") -> Signer:
    """The signer of that name, the same key each time; its files are in ``directory``."""
    path = directory / name
    if not path.exists():
        path.write_bytes(private_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        path.chmod(0o600)
        opened = open_signer(f"file:{path}")
        (directory / f"{name}.pub").write_text(json.dumps(opened.public.to_jwk()))
    return open_signer(f"file:{path}")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def envelope(clearance: Mapping[str, Any], dump: bytes, *signers: Signer) -> bytes:
    """A signed clearance of a dump."""
    return sign_statement(Clearance.from_json(clearance).statement("app.core", sha256(dump)), *signers)


class World:
    """A directory with everything in it, and the time."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.now = NOW
        self.out = top / "out"
        self.out.mkdir()
        self.dump = top / "app.core"
        self.dump.write_bytes(DUMP)
        self.signer = signer(top)
        self.clearance = top / "app.core.intoto.json"
        self.clear()
        self.policy = top / "policy.toml"
        self.write_policy()
        self.vault = Vault.create(top / "vault")
        self.log_signer = NoteSigner(ORIGIN, signer(top, "log"))
        self.log = AuditLog.create(top / "audit", origin=ORIGIN, signer=self.log_signer, clock=self.clock)

    def clock(self) -> datetime:
        return self.now

    def write_policy(self, old: str = "", new: str = "") -> None:
        """Write the good policy, or one in which a text is another."""
        text = POLICY.replace("{out}", str(self.out))
        assert old in text
        self.policy.write_text(text.replace(old, new) if old else text)

    def clear(self, path: str = "", value: Any = None, *signers: Signer, dump: bytes = DUMP) -> None:
        """Write a good clearance, or one in which a member is another."""
        said = clearance_json(dump)
        said = changed(said, path, value) if path else said
        self.clearance.write_bytes(envelope(said, dump, *(signers or (self.signer,))))

    def gate(self, **parts: Any) -> Gate:
        given = {
            "store": self.vault,
            "policies": PolicyFile(self.policy),
            "verifier": EnvelopeVerifier(),
            "log": self.log,
            "clock": self.clock,
        }
        return Gate(**(given | parts))

    def request(self, destination: Destination | None = None, name: str = "app.core", **more: Any) -> Request:
        there = destination or open_destination(str(self.out))
        return Request(FileSource(str(self.dump)), ClearanceFile(str(self.clearance)), there, name, **more)

    def release(self, destination: Destination | None = None, **parts: Any) -> Receipt:
        return self.gate(**parts).release(self.request(destination))

    def entries(self) -> list[Entry]:
        return list(AuditLog.open(self.top / "audit", signer=self.log_signer).entries())

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries()]

    def visible(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())
