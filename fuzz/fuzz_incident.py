"""Feeds broken records, radii, findings, timestamps and plans to their readers: only our errors come out.

The record is signed anew after each change, so that what is fuzzed is the reader of entries and not the
arithmetic of the log.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import mkdtemp

from driver import run

from immure.auditlog import AuditLog
from immure.auditlog.canonical import canonical, parse_canonical
from immure.custody import open_signer
from immure.custody.generate import generate
from immure.custody.note_signer import NoteSigner
from immure.errors import ImmureError
from immure.response.errors import ResponseError
from immure.response.facts import conflicts, summary
from immure.response.finding import Finding
from immure.response.finding_files import parse_findings
from immure.response.incident import Incident
from immure.response.key_set_snapshot import check_snapshot
from immure.response.named_files import named_files
from immure.response.radius import (
    BlastRadius,
    Cell,
    Interval,
    Mailbox,
    RelyingParty,
    Scope,
    StateSpan,
    TenantImpact,
)
from immure.response.radius_json import parse_radius
from immure.response.retention_file import parse_plan
from immure.response.roles import approvals_of, roles_of
from immure.response.steps import Steps
from immure.response.timeline import standing
from immure.response.timestamp import check_stamp

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PLACE = Path(mkdtemp(prefix="immure-fuzz-", dir=MEMORY))
generate(PLACE / "key")
KEY = open_signer(f"file:{PLACE / 'key'}")


def check(data: bytes) -> None:
    """Each reader gives a value that says the same when it is written and read again, or an error of ours."""
    kind, _, rest = data.partition(b":")
    try:
        if kind == b"record":
            _record(rest)
        elif kind == b"radius":
            found = parse_radius(rest)
            assert parse_radius(json.dumps(found.to_json()).encode()) == found
        elif kind == b"finding":
            for one in parse_findings(_json(rest), "report"):
                assert Finding.from_plain(one.plain()) == one
        elif kind == b"plan":
            parse_plan(rest, PLACE / "plan.toml")
        elif kind == b"keys":
            check_snapshot(rest, "jwks.json")
        else:
            check_stamp(rest, bytes(32))
    except ImmureError:
        return


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _record(data: bytes) -> None:
    """An incident whose log has these lines, properly signed."""
    folder = PLACE / "incident"
    shutil.rmtree(folder, ignore_errors=True)
    signer = NoteSigner("immure.incident/fuzz", KEY)
    log = AuditLog.create(folder / "log", origin=signer.name, signer=signer)
    for line in data.split(b"\n")[:20]:
        kind, _, body = line.partition(b" ")
        value = parse_canonical(body)
        if isinstance(value, dict):
            log.append(kind.decode("utf-8", "replace"), value)
    found = Incident.load(folder, key=KEY)
    entries = found.entries()
    for entry in standing(entries):
        summary(entry)
    conflicts(entries)
    roles_of(entries)
    approvals_of(entries, "d1")
    list(Steps(found, "ann").all())
    named_files(entries)
    before = len(entries)
    try:
        found.add("fact", {"says": "x"}, actor="ann")
    except ResponseError:
        assert len(found.entries()) == before
    else:
        assert len(Incident.load(folder).entries()) == before + 1


def seeds() -> list[bytes]:
    """One of each."""
    finding = Finding("key-in-dump", kid="k1", issuer="https://login.example", details={"a": 1}).plain()
    bodies = [
        ("incident.opened", {"name": "a", "finding": finding}, None),
        ("incident.role", {"role": "approver", "person": "bo", "granted": True}, None),
        ("incident.fact", {"says": "x", "about": "t", "value": 1}, None),
        ("incident.evidence", {"file": "evidence/a", "sha256": 64 * "0", "timestamp": {"file": "work/b",
         "sha256": 64 * "1"}}, None),
        ("incident.correction", {"says": "y"}, 2),
        ("incident.approval", {"subject": "d1"}, None),
        ("incident.step", {"step": "s", "target": "t", "state": "begun", "detail": None}, None),
        ("incident.closed", {"says": "over"}, None),
    ]  # fmt: skip
    lines = []
    for kind, body, corrects in bodies:
        members = {"actor": "bo", "body": body, "confidence": "likely", "corrects": corrects, "source": "s"}
        lines.append(kind.encode() + b" " + canonical(members))
    gap = Interval(1, 2, "no log")
    radius = BlastRadius(
        "k1", "i", "t", 0, 9, "ledger", Scope("i", ("enterprise",)), (StateSpan("active", 0, None),),
        (RelyingParty("mail", "a", "yes", "log", 2, (gap,)),),
        (TenantImpact("t", 2, ("s",), (Mailbox("a", ("m",), ("f",), 1),), (gap,), 1, None),),
        (gap,), (), 2, 60, (Cell("t", 0, 2),),
    )  # fmt: skip
    detect = {
        "schema": "https://immure.example/schemas/detect-1.json",
        "findings": [
            {"rule": "token-forged", "id": "0", "reason": "r", "keys": {}, "facts": {"kid": "k1", "iss": "i"}}
        ],
    }
    scan = {
        "schema": "https://immure.example/schemas/scan-report-1.json",
        "images": [{"path": "a.core", "findings": [{"key": {"kid": "k1", "thumbprint": "t"}, "proof": "p"}]}],
    }
    plan = b'version = 1\nkey_life_days = 1\n[logs.a]\npath = "x"\nbegan = 2025-01-01\nkeeps_days = 3.5\n'
    return [
        b"record:" + b"\n".join(lines),
        b"radius:" + json.dumps(radius.to_json()).encode(),
        b"finding:" + json.dumps(detect).encode(),
        b"finding:" + json.dumps(scan).encode(),
        b"plan:" + plan,
        b'keys:{"keys": [{"kty": "EC", "x": "a"}]}',
        b"stamp:" + bytes.fromhex("30053003020100"),
    ]


if __name__ == "__main__":
    run(check, seeds())
