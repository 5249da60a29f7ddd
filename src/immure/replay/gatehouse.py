"""The gate between production and the debugging room, as ``immure release`` has it: vault, policy, log."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from immure.attest.sign import read_document, sign_envelope
from immure.attest.statement import digest_of
from immure.auditlog import AuditLog, NoteKey
from immure.custody import open_signer
from immure.custody.generate import generate
from immure.custody.note_signer import NoteSigner
from immure.errors import ImmureError, RefusedError
from immure.replay.errors import ReplayError
from immure.scanning.options import DETECTORS
from immure.transfer import (
    ClearanceFile,
    EnvelopeVerifier,
    FileSource,
    Gate,
    PolicyFile,
    Request,
    open_destination,
)
from immure.vault import Vault

_ORIGIN: Final = "replay.example/gate"
_POLICY: Final = """\
version = 1

[signers]
keys = ["release.key.pub"]

[dump]
formats = ["elf-core"]
max_size = "4 GiB"

[clearance]
max_age = "1d"

[search]
mode = "quick"
detectors = ["rsa", "montgomery", "ec", "structure"]
keys = [{keys}]

{left_out}
[proof]
checks = ["scan", "residue", "bytes"]

[destinations]
allow = ["file://{debugging}"]
"""
#: Quick mode is enough here, whatever it leaves out of a core of several hundred megabytes.
_LEFT_OUT: Final = """
[[search.allow_not_searched]]
detector = "{detector}"
reason = "quick mode"
max_bytes = "4 GiB"
"""


@dataclass
class Gatehouse:
    """The gate of one world.

    Attributes:
        room: its directory.
        debugging: the only place that anything may go to.
        jwks: public keys that must have been searched for.
    """

    room: Path
    debugging: Path
    jwks: Path
    refusals: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Make vault, keys, policy and log; raises ReplayError if they cannot be."""
        try:
            for name in ("release.key", "log.key"):
                generate(self.room / name, "EdDSA")
            Vault.create(self.room / "vault")
            left_out = "".join(_LEFT_OUT.format(detector=name) for name in DETECTORS)
            keys = json.dumps(str(self.jwks))
            policy = _POLICY.format(keys=keys, left_out=left_out, debugging=self.debugging)
            (self.room / "policy.toml").write_text(policy, encoding="utf-8")
            with open_signer(self._uri("log.key")) as signer:
                noted = NoteSigner(_ORIGIN, signer)
                AuditLog.create(self.room / "log", origin=_ORIGIN, signer=noted)
                self._vkey = NoteKey(_ORIGIN, noted.public_key)
        except (ImmureError, OSError) as error:
            raise ReplayError(f"the gate cannot be set up: {error}") from error

    def sign(self, dump: Path, record: dict[str, Any]) -> Path:
        """Sign for a redacted dump: the clearance."""
        with dump.open("rb") as stream:
            digest = digest_of(stream, str(dump))
        envelope = read_document(json.dumps(record).encode(), dump.name, digest)
        target = self.room / f"{dump.name}.intoto.json"
        with open_signer(self._uri("release.key")) as signer:
            target.write_bytes(sign_envelope(envelope, signer))
        return target

    def release(self, dump: Path, clearance: Path | None) -> str | None:
        """Ask for a dump to be let out.

        Returns:
            None if it is out; else why not.

        Raises:
            ReplayError: the gate does not work.
        """
        try:
            with (
                open_destination(str(self.debugging)) as destination,
                open_signer(self._uri("log.key")) as signer,
            ):
                log = AuditLog.open(self.room / "log", signer=NoteSigner(_ORIGIN, signer), check=False)
                gate = Gate(
                    store=Vault.open(self.room / "vault"),
                    policies=PolicyFile(str(self.room / "policy.toml")),
                    verifier=EnvelopeVerifier(),
                    log=log,
                )
                shown = clearance or self.room / "no-clearance.json"
                source = FileSource(str(dump))
                gate.release(Request(source, ClearanceFile(str(shown)), destination, dump.name))
        except RefusedError as error:
            self.refusals.append(error.rule)
            return error.reason.partition(f": {self.room}")[0]  # our own paths say nothing
        except ImmureError as error:
            raise ReplayError(f"the gate does not work: {error}") from error
        return None

    def entries(self) -> int:
        """How many decisions stand in the log, which is verified for that.

        Raises:
            ReplayError: it does not hold.
        """
        from immure.auditlog import verify_log

        try:
            return verify_log(self.room / "log", public_key=self._vkey).checkpoint.size
        except ImmureError as error:
            raise ReplayError(f"the log of the gate does not hold: {error}") from error

    def _uri(self, name: str) -> str:
        return f"file:{self.room / name}"
