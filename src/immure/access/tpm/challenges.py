"""Challenges of a room to the TPMs of workstations: each is for one answer, and for a quarter of an hour.

They are files in the room's directory, and not in its log: nothing has happened yet. The secret is not in
them, only its SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from immure.access.errors import AccessError
from immure.access.room import deny
from immure.access.texts import encode, moment, spelled
from immure.access.tpm.credential import make_credential
from immure.access.tpm.endorsement import endorsement_key
from immure.access.tpm.evidence import (
    VERSION,
    Answer,
    Offer,
    Proven,
    load_json,
    parse_answer,
    parse_document,
    parse_offer,
    verify_answer,
    verify_offer,
)
from immure.access.tpm.structures import parse_area
from immure.auditlog.canonical import canonical
from immure.errors import InputError
from immure.files import write_whole

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from immure.access.policy import TpmRules

DIRECTORY: Final = "tpm"
#: From a challenge to its answer; from that to the request that others approve.
PATIENCE: Final = timedelta(minutes=15)
PATIENCE_PROVEN: Final = timedelta(hours=24)
MOST_OPEN: Final = 256
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


class Challenges:
    """Those of a room; ``directory`` is the room's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / DIRECTORY

    def begin(
        self, offered: object, rules: TpmRules, *, room: str, account: str, at: datetime
    ) -> dict[str, Any]:
        """What a workstation is to answer to its offer (JSON), as JSON.

        Raises:
            DeniedError: the offer is not taken (``tpm``), or too many are under way.
        """
        _need_roots(rules)
        try:
            offer = parse_offer(offered)
            certificate = verify_offer(offer, rules.roots, at)
        except InputError as error:
            deny("tpm", error.reason)
        nonce, secret = encode(secrets.token_bytes(16)), secrets.token_bytes(32)
        document = {
            "v": VERSION, "room": room, "account": account, "issued": spelled(at), "nonce": nonce,
            "offer": offer.digest,
        }  # fmt: skip
        name = parse_area(offer.attestation).name
        credential, wrapped = make_credential(endorsement_key(certificate), name, secret)
        self._make_room(at)
        kept = {
            "document": document,
            "offer": offer.to_json(),
            "secret": hashlib.sha256(secret).hexdigest(),
            "until": spelled(at + PATIENCE),
        }
        self._write(nonce, kept)
        return {
            "v": VERSION, "document": document, "credential": encode(credential), "wrapped": encode(wrapped)
        }  # fmt: skip

    def finish(self, answer: object, rules: TpmRules, at: datetime) -> dict[str, Any]:
        """The evidence that an answer (JSON) makes, which :func:`read_evidence` reads. A challenge is for one
        answer, whether that holds or not.

        Raises:
            DeniedError: there is no such challenge, its time is over, or the answer does not hold.
        """
        _need_roots(rules)
        if not isinstance(answer, dict) or answer.get("v") != VERSION:
            deny("tpm", "an answer of another version")
        nonce = answer.get("nonce")
        try:
            found = parse_answer({name: answer[name] for name in answer if name not in ("v", "nonce")})
        except InputError as error:
            deny("tpm", error.reason)
        kept = self._taken(nonce, at)
        if not hmac.compare_digest(hashlib.sha256(found.activated).hexdigest(), str(kept["secret"])):
            deny(
                "tpm", "the TPM has not opened the secret: the attestation key is in another one, or in none"
            )
        evidence = {
            "v": VERSION,
            "document": kept["document"],
            "offer": kept["offer"],
            "answer": found.to_json(),
        }
        try:
            prove(evidence, rules.roots, at)
        except InputError as error:
            deny("tpm", error.reason)
        proven = {"evidence": _digest(evidence), "until": spelled(at + PATIENCE_PROVEN)}
        self._write(str(nonce), proven)
        return evidence

    def check_proven(self, evidence: Mapping[str, Any], at: datetime) -> None:
        """See that evidence was made here, not long ago: that a TPM has opened a secret can be seen by nobody
        but who has wrapped it.

        Raises:
            DeniedError: it was not.
        """
        document = evidence.get("document")
        kept = self._read(document.get("nonce") if isinstance(document, Mapping) else None)
        if kept is None or kept.get("evidence") != _digest(evidence):
            deny("tpm", "this room has made no such evidence; begin with a new challenge")
        if at >= moment(str(kept["until"])):
            deny("tpm", "the evidence is too old; begin with a new challenge")

    # --- files ---

    def _path(self, nonce: object) -> Path:
        if not isinstance(nonce, str) or not _ID.fullmatch(nonce):
            deny("tpm", "an answer without the nonce of a challenge")
        return self._directory / f"{nonce}.json"

    def _write(self, nonce: str, kept: Mapping[str, Any]) -> None:
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._path(nonce), json.dumps(kept).encode(), mode=0o600)
        except OSError as error:
            raise AccessError(error.strerror or "cannot be written", path=str(self._directory)) from error

    def _read(self, nonce: object) -> Mapping[str, Any] | None:
        path = self._path(nonce)
        try:
            kept = load_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, InputError) as error:
            raise AccessError("cannot be read", path=str(path)) from error
        if not isinstance(kept, dict) or not isinstance(kept.get("until"), str):
            raise AccessError("is no challenge", path=str(path))
        return kept

    def _taken(self, nonce: object, at: datetime) -> Mapping[str, Any]:
        """The challenge of that nonce, which is gone from then on: of two who ask for it, one gets it."""
        kept = self._read(nonce)
        if kept is None or "secret" not in kept:
            deny("tpm", "no challenge waits for this answer: it was used, or never made")
        try:
            os.unlink(self._path(nonce))
        except FileNotFoundError:
            deny("tpm", "no challenge waits for this answer: it was used")
        if at >= moment(str(kept["until"])):
            deny("tpm", "the challenge was made too long ago")
        return kept

    def _make_room(self, at: datetime) -> None:
        """Forget what has run out; says no if there are too many still."""
        count = 0
        for path in self._directory.glob("*.json"):
            kept = self._read(path.stem)
            if kept is not None and at >= moment(str(kept["until"])):
                path.unlink(missing_ok=True)
            else:
                count += 1
        if count >= MOST_OPEN:
            deny("busy", "too many challenges wait for answers; wait a quarter of an hour")


def _need_roots(rules: TpmRules) -> None:
    if rules.mode == "off":
        deny("tpm", "the policy takes no evidence of TPMs")
    if not rules.roots:
        deny("tpm", "the policy names nobody who vouches for TPMs (workstations.tpm_roots)")


def _digest(evidence: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(evidence)).hexdigest()


def read_evidence(evidence: object) -> tuple[Mapping[str, Any], Offer, Answer]:
    """What a challenge was for, the offer and the answer, in evidence; raises InputError."""
    if not isinstance(evidence, dict) or set(evidence) != {"v", "document", "offer", "answer"}:
        raise InputError("evidence has v, document, offer and answer, and nothing else")
    if evidence["v"] != VERSION:
        raise InputError("evidence of another version")
    offer = parse_offer(evidence["offer"])
    return parse_document(evidence["document"]), offer, parse_answer(evidence["answer"])


def prove(evidence: object, roots: tuple[Certificate, ...], at: datetime) -> Proven:
    """What evidence proves, whoever looks at it; raises InputError. That the secret in it was one when it was
    opened is what the room vouches for that has made it."""
    document, offer, answer = read_evidence(evidence)
    return verify_answer(document, offer, answer, roots, at)
