"""Signers, clearances and envelopes for the tests."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from custody.keys import SIGNING, key
from immure.attest.clearance import CLEARANCE_V1, Clearance
from immure.attest.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature
from immure.attest.sign import sign_statement
from immure.attest.statement import STATEMENT_TYPE, Digest
from immure.attest.trust import TrustedKey
from immure.custody.file_signer import FileSigner
from immure.custody.public_half import from_spki

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
BYTES = b"the dump that may leave\n" * 1000
DIGEST = Digest(hashlib.sha256(BYTES).hexdigest(), len(BYTES))
THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
KEY = {"thumbprint": THUMBPRINT, "kty": "RSA", "kid": "prod-1", "issuer": None}

#: A clearance in which every list has something and every optional member is there.
FULL: dict[str, Any] = {
    "tool": {"name": "immure", "version": "0.2.0"},
    "issued": "2026-11-25T11:00:00Z",
    "expires": "2026-12-02T11:00:00Z",
    "dump": {"format": "ELF core", "codec": "zstd", "size": DIGEST.size},
    "source": {"sha256": "0" * 64, "size": 4711},
    "searched": {
        "mode": "exhaustive",
        "detectors": ["rsa", "montgomery", "ec", "structure"],
        "harvest": True,
        "texts": ["tokens"],
        "known": ["trial.key"],
        "secrets": ["database password"],
        "keep": ["all"],
        "keys": [{**KEY, "issuer": "https://login.example/", "source": "jwks.json"}],
    },
    "not_searched": [{"offset": 4096, "length": 100, "detector": "ec", "reason": "quick mode"}],
    "findings": [
        {
            "key": KEY,
            "kind": "named",
            "proof": "a 1024-bit number divides n",
            "occurrences": 4,
            "residual_bits": 12,
        }
    ],
    "redactions": [
        {"offset": 128, "length": 128, "kind": "p", "encoding": "le64", "key": THUMBPRINT},
        {"offset": 512, "length": 300, "kind": "jwt", "encoding": "", "key": None},
    ],
    "proof": {
        "holds": True,
        "complete": False,
        "searched_bytes": 24000,
        "fragments": 0,
        "checks": [
            {"name": "scan", "status": "ok", "detail": ""},
            {"name": "debugger", "status": "not done", "detail": "gdb is not installed"},
        ],
        "residues": [
            {
                "key": THUMBPRINT,
                "kind": "RSA-2048",
                "bits_left": 12,
                "bits": 9216,
                "bounds": [
                    {"name": "random bits", "share_ppm": 1300, "enough_ppm": 270000, "limit_ppm": 200000},
                    {"name": "p", "share_ppm": 0, "enough_ppm": 500000, "limit_ppm": 400000},
                ],
            }
        ],
    },
    "decision": {"policy": "ab" * 32, "allowed": True, "rules": ["required detectors", "age"]},
}


def clock() -> datetime:
    return NOW


def at(**distance: float) -> Any:
    """A clock that is so far from :data:`NOW`."""
    return lambda: NOW + timedelta(**distance)


@cache
def signer(kind: str = "Ed25519", algorithm: str | None = None) -> FileSigner:
    """A signer with a key in memory, the same one each time."""
    private = key(kind)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return FileSigner(f"test:{kind}", from_spki(spki, kind), algorithm or SIGNING[kind], private)  # type: ignore[arg-type]


def trusted(kind: str = "Ed25519", algorithm: str | None = None) -> TrustedKey:
    return TrustedKey(signer(kind, algorithm).public, signer(kind, algorithm).algorithm)


def full() -> dict[str, Any]:
    """A copy of :data:`FULL` to be changed."""
    return copy.deepcopy(FULL)


def clearance() -> Clearance:
    return Clearance.from_json(full())


def envelope(*kinds: str) -> bytes:
    """A good envelope, signed by keys of these kinds."""
    statement = clearance().statement("app.core", DIGEST.sha256)
    return sign_statement(statement, *(signer(kind) for kind in kinds or ("Ed25519",)))


def statement_json(**changes: Any) -> dict[str, Any]:
    """A good statement; a member given as None is left out."""
    members = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "app.core", "digest": {"sha256": DIGEST.sha256}}],
        "predicateType": CLEARANCE_V1,
        "predicate": full(),
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


def signed(payload: bytes | dict[str, Any], payload_type: str = PAYLOAD_TYPE, kind: str = "Ed25519") -> bytes:
    """An envelope whose signature holds, whatever the payload is."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    bare = Envelope(data, payload_type, ())
    signature = EnvelopeSignature(signer(kind).thumbprint, signer(kind).sign(bare.pae()))
    return Envelope(data, payload_type, (signature,)).to_bytes()


def changed(data: bytes, change: Any) -> bytes:
    """The envelope with something done to its decoded JSON."""
    value = json.loads(data)
    change(value)
    return json.dumps(value).encode()
