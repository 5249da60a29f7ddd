"""From the record of a real redaction to a clearance, and from garbled ones to a refusal."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from immure.attest.clearance import Clearance
from immure.attest.from_record import CHECKS, clearance_of, is_record
from immure.attest.sign import read_document
from immure.attest.statement import Digest
from immure.errors import AttestationError
from immure.redact import NamedSecret, RedactOptions, redact_file
from immure.scanning.options import ScanOptions
from immure.secret import Secret
from scanning.material import private, public

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


@cache
def text() -> str:
    """The record of a dump with an RSA key, an EC key and a password in it."""
    data = bytearray(random.Random(3).randbytes(40_000))
    prime, scalar = private("RSA-2048").p.reveal(), private("P-256").d.reveal()
    data[8000:8128] = prime.to_bytes(128, "little")
    data[16000:16032] = scalar.to_bytes(32, "little")
    data[24000:24011] = b"swordfish-7"
    with TemporaryDirectory() as directory:
        path = Path(directory) / "dump"
        path.write_bytes(data)
        options = RedactOptions(
            scan=ScanOptions(threads=1),
            secrets=(NamedSecret("db", Secret(b"swordfish-7")),),
            known=(private("Ed25519"),),
        )
        keys = [public("RSA-2048"), public("P-256")]
        return json.dumps(redact_file(path, Path(directory) / "out", keys=keys, options=options).to_json())


def record() -> dict[str, Any]:
    return dict(json.loads(text()))


def test_a_record_becomes_a_clearance_that_clears_its_file() -> None:
    made = record()
    assert is_record(made)
    clearance = clearance_of(made, NOW, LATER)
    assert clearance == Clearance.from_json(clearance.to_json())
    assert (clearance.issued, clearance.expires) == (NOW, LATER)
    assert {one.key.thumbprint for one in clearance.findings} == {
        public(kind).thumbprint for kind in ("RSA-2048", "P-256")
    }
    assert public("Ed25519").thumbprint in {one.key.thumbprint for one in clearance.searched.keys}
    assert len(clearance.redactions) == made["statistics"]["spans"]
    assert [check.name for check in clearance.proof.checks] == list(CHECKS)
    clearance.check_clears(Digest(made["output"]["sha256"], made["output"]["size"]))


def test_a_record_of_another_file_is_refused() -> None:
    made = record()
    other = Digest("0" * 64, made["output"]["size"])
    with pytest.raises(AttestationError, match="other bytes"):
        read_document(text().encode(), "dump", other, now=lambda: NOW)
    read_document(
        text().encode(), "dump", Digest(made["output"]["sha256"], made["output"]["size"]), now=lambda: NOW
    )


def test_what_is_left_is_stated_in_parts_of_a_million_and_not_below_the_truth() -> None:
    made = record()
    rsa = next(one for one in made["proof"]["residue"]["keys"] if one["kind"].startswith("RSA"))
    rsa["bits_left"] = {"p": {"left": 64, "of": 1024}}
    rsa["bounds"] = [{"name": "b", "share": 64 / 6144, "enough": 0.27, "limit": 0.2, "ok": True}]
    curve = next(one for one in made["proof"]["residue"]["keys"] if one["kind"] == "P-256")
    curve["bits_left"] = {"d": {"left": 32, "of": 256}}
    curve["bounds"] = [{"name": "b", "share": 32, "enough": 64, "limit": 63, "ok": True}]
    proof = clearance_of(made, NOW, LATER).proof
    left = {one.kind[:3]: (one.bits_left, one.bounds[0]) for one in proof.residues}
    bits, bound = left["RSA"]
    assert (bits, bound.share_ppm, bound.enough_ppm) == (64, 10_417, 270_000)
    bits, bound = left["P-2"]
    assert (bits, bound.share_ppm, bound.enough_ppm) == (32, 500_000, 1_000_000)


def _without(path: str, value: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(value)
    *parents, name = path.split(".")
    at = changed
    for parent in parents:
        at = at[parent]
    del at[name]
    return changed


MEMBERS = (
    "format output.size source searched.keys searched.known findings redactions proof.scan proof.ok"
    " proof.residue.keys proof.bytes.status not_searched"
)


@pytest.mark.parametrize("path", MEMBERS.split())
def test_a_record_that_lacks_something_is_refused(path: str) -> None:
    with pytest.raises(AttestationError):
        clearance_of(_without(path, record()), NOW, LATER)


@pytest.mark.parametrize("seed", range(60))
def test_a_garbled_record_raises_nothing_but_our_error(seed: int) -> None:
    chance = random.Random(seed)
    made = record()
    at: Any = made
    while isinstance(at, dict | list) and at and chance.random() < 0.8:
        name = chance.choice(list(at) if isinstance(at, dict) else list(range(len(at))))
        if chance.random() < 0.4 or not isinstance(at[name], dict | list):
            at[name] = chance.choice([None, -1, 1.5, "x", [], {}, True, 10**30])
            break
        at = at[name]
    with contextlib.suppress(AttestationError):
        clearance_of(made, NOW, LATER)
