"""A scenario as files: a real ledger with its log and segments, a real log of acceptances, a registry.

The operator who puts rows in behind the ledger's back does it here as he would: by SQL, and with a batch that
he closes himself.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.auditlog import AuditLog
from immure.auditlog.note import NoteKey
from immure.detections.errors import DetectionError
from immure.files import write_whole
from immure.keymaterial.key import OkpNumbers, Origin, PublicKey
from immure.ledger.batch import Batch, tally
from immure.ledger.declaring import declare_gap
from immure.ledger.row import Issued
from immure.ledger.sealing import SLACK, Sealer, last_batch, write
from immure.ledger.segments import export
from immure.ledger.sqlite_store import SqliteLedger
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState
from immure.synth.scenarios.model import Scenario, Step, Token, Use
from immure.tokens.acceptance import AcceptanceLog, Decision

ORIGIN: Final = "login.example/ledger"


class _Signer:
    """Signs the log's checkpoints."""

    name = ORIGIN

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


class _Times:
    """A clock that goes from step to step."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


def write_scenario(scenario: Scenario, directory: Path) -> None:
    """Write a ledger with its log and segments, acceptances, the registry ``keys.toml``, and ``truth.json``.

    Raises:
        DetectionError: the directory is there already, or cannot be made.
    """
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise DetectionError(f"cannot be made: {error.strerror}", path=str(directory)) from error
    _Ledger(directory).keep(scenario)
    _write_acceptances(scenario, directory / "accepted")
    _write_registry(scenario, directory / "keys.toml")
    truth = {digest.hex(): verdict for digest, verdict in sorted(scenario.truth.items())}
    write_whole(directory / "truth.json", json.dumps(truth, indent=1).encode() + b"\n")


class _Ledger:
    """The ledger of a scenario, while it is kept."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._times = directory, _Times()
        self._signer = _Signer(Ed25519PrivateKey.generate())
        self._log = AuditLog.create(
            directory / "log", origin=ORIGIN, signer=self._signer, clock=self._times.now
        )
        key = NoteKey(ORIGIN, self._signer.public_key)
        write_whole(directory / "log.vkey", f"{key.to_vkey()}\n".encode())

    def keep(self, scenario: Scenario) -> None:
        """Carry the steps out, and export."""
        store = SqliteLedger(self._directory / "ledger.db", create=True)
        try:
            self._times.seconds = scenario.steps[0].time
            sealer = Sealer(store, self._log, quiet=0, time=self._times.now, monotonic=self._times.monotonic)
            for step in scenario.steps:
                self._take(store, sealer, step)
            for issuer in sorted({key.issuer for key in scenario.keys}):
                for _ in export(store, issuer, self._directory / "segments", rows=64):
                    pass
        finally:
            store.close()

    def _take(self, store: SqliteLedger, sealer: Sealer, step: Step) -> None:
        self._times.seconds = step.time + SLACK  # the watermark stays behind the clock
        if step.what == "record":
            outcomes = store.append([_row(token) for token in step.tokens])
            for one in outcomes:
                if not isinstance(one, int):
                    raise one
        elif step.what == "seal":
            sealer.seal_all()
        elif step.what == "gap":
            declare_gap(
                store, self._log, step.issuer, reason="a disk was lost", start=step.start, end=step.time
            )
        else:
            self._backfill(store, step)

    def _backfill(self, store: SqliteLedger, step: Step) -> None:
        rows = [_row(token) for token in step.tokens]
        with sqlite3.connect(self._directory / "ledger.db") as base:
            number, last = base.execute(
                "SELECT id, last FROM issuers WHERE name = ?", (step.issuer,)
            ).fetchone()
            for place, row in enumerate(rows, start=last + 1):
                marks = ", ".join("?" * 11)
                base.execute(f"INSERT INTO tokens VALUES ({marks})", (number, place, *row.cells()))  # noqa: S608
            base.execute("UPDATE issuers SET last = ? WHERE id = ?", (last + len(rows), number))
        base.close()
        standing = store.standing(step.issuer)
        before = last_batch(store, standing)
        if before is None:
            raise DetectionError("a scenario puts rows in before there is a batch")
        root = tally(store.rows(step.issuer, standing.closed + 1, standing.last)).root
        batch = Batch(
            step.issuer, standing.batches, standing.closed + 1, standing.last, before.watermark, root,
            before.digest,
        )  # fmt: skip
        with store.sealing():
            write(store, self._log, replace(batch))


def _row(token: Token) -> Issued:
    claims = token.claims
    return Issued(
        token.digest, claims["iss"], token.kid, claims["iat"], claims["exp"], claims["sub"], (claims["aud"],),
        claims["tid"], claims["client_id"],
    )  # fmt: skip


def _write_acceptances(scenario: Scenario, directory: Path) -> None:
    with AcceptanceLog(directory) as log:
        for use in scenario.uses:
            log.record(_decision(use))


def _decision(use: Use) -> Decision:
    claims = use.token.claims
    return Decision(
        time=use.time,
        digest=use.token.digest,
        issuer=claims["iss"],
        kid=use.token.kid,
        subject=claims["sub"],
        tenant=claims["tid"],
        audience=(claims["aud"],),
        client=claims["client_id"],
        issued_at=claims["iat"],
        expires=claims["exp"],
        relying_party=use.relying_party,
        channel="imap",
    )


def _write_registry(scenario: Scenario, path: Path) -> None:
    with open_store(path, create=True) as store:
        for key in scenario.keys:
            begins = datetime.fromtimestamp(key.active_from, UTC)
            scope = KeyScope(key.issuer, audience_classes=frozenset({key.audience_class}))
            public = PublicKey(OkpNumbers("Ed25519", key.public), Origin("scenario"))
            store.add(
                [KeyRecord.new(public, key.kid, scope, by="scenario", at=begins, state=KeyState.ACTIVE)]
            )
