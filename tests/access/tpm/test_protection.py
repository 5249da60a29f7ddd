"""What a room takes for protected when it reads requests: in a ceremony, and again in its log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from access.rooms import Clock, World, policy_text
from access.tpm.conftest import rules
from access.tpm.made import ENDORSEMENT, KEY, NOW, ROOT, SECRET, answer, attested, document, offer
from access.tpm.test_enrolling import certified
from immure.access import DeniedError
from immure.access.policy_file import parse_policy
from immure.access.texts import encode
from immure.access.tpm.evidence import Answer, qualification
from immure.errors import PolicyError

PEM = ROOT.public_bytes(Encoding.PEM).decode()
OFFER = offer()
CERTIFICATE = certified(KEY.private.public_key())
DIGEST = hashlib.sha256(CERTIFICATE).hexdigest()
OTHER = certified(ROOT.public_key())
ENDORSED = hashlib.sha256(ENDORSEMENT).hexdigest()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(
        tmp_path_factory.mktemp("protected") / "room", text=rules("preferred", PEM), clock=Clock(NOW)
    ).found()
    yield made
    made.door.close()


def proof(world: World, /, **changes: Any) -> dict[str, Any]:
    """Evidence for this room, signed by a made-up TPM of the vendor's."""
    made = document(OFFER, **{"room": world.door.room_id, **changes})
    body = attested(qualification(made, SECRET), KEY.name)
    said = Answer(SECRET, body, answer(OFFER, body).signature)
    return {"v": 1, "document": made, "offer": OFFER.to_json(), "answer": said.to_json()}


def subject(room: World, certificate: bytes = CERTIFICATE, **changes: Any) -> dict[str, Any]:
    """A request as a door writes it."""
    return {
        "account": "prd-ada",
        "workstation": DIGEST,
        "ends": "2026-12-24T00:00:00Z",
        "protection": "tpm",
        "tpm": {"model": "not said", "endorsement": ENDORSED},
        "evidence": {"certificate": encode(certificate), "proof": proof(room)},
        **changes,
    }


def _without(room: World, *names: str) -> dict[str, Any]:
    return {name: value for name, value in subject(room).items() if name not in names}


def _proven(world: World, /, **changes: Any) -> dict[str, Any]:
    return subject(world, evidence={"certificate": encode(CERTIFICATE), "proof": proof(world, **changes)})


SUBJECTS: dict[str, tuple[Any, str, str]] = {
    "a word alone": (lambda room: _without(room, "tpm", "evidence"), "document", "in software, or in a TPM"),
    "no evidence": (lambda room: _without(room, "evidence"), "document", "in software, or in a TPM"),
    "no TPM": (lambda room: _without(room, "tpm"), "document", "in software, or in a TPM"),
    "software, with evidence": (
        lambda room: subject(room, protection="software"), "document", "in software, or in a TPM"),
    "something else": (lambda room: subject(room, protection="enclave"), "document", "in software, or"),
    "one more member": (lambda room: subject(room, more=1), "document", "and nothing else"),
    "evidence that is none": (lambda room: subject(room, evidence=1), "document", "a certificate and"),
    "a proof that is none": (
        lambda room: subject(room, evidence={"certificate": encode(OTHER), "proof": 1}), "tpm", "has v"),
    "another TPM": (
        lambda room: subject(room, tpm={"model": "not said", "endorsement": "0" * 64}), "tpm", "another TPM"),
    "a better model": (
        lambda room: subject(room, tpm={"model": "A TPM", "endorsement": ENDORSED}), "tpm", "another TPM"),
    "another certificate": (
        lambda room: subject(room, certified(ROOT.public_key())), "tpm", "another certificate"),
    "a certificate for another key": (
        lambda room: subject(
            room, OTHER, workstation=hashlib.sha256(OTHER).hexdigest()), "tpm", "for another key"),
    "another room": (lambda room: _proven(room, room="another"), "tpm", "for another room"),
    "another account": (lambda room: _proven(room, account="prd-grace"), "tpm", "for another account"),
    "of the future": (lambda room: _proven(room, issued="2026-12-01T00:00:00Z"), "tpm", "of the future"),
}  # fmt: skip


@pytest.mark.parametrize("case", SUBJECTS)
def test_requests_that_no_door_writes(room: World, case: str) -> None:
    made, rule, words = SUBJECTS[case]
    with pytest.raises(DeniedError, match=words) as caught:
        room.door.begin_request("prd-ada", "workstation", made(room))
    assert caught.value.rule == rule


def test_one_that_a_door_writes(room: World) -> None:
    request = room.sign(room.door.begin_request("prd-ada", "workstation", subject(room))).id
    room.approve(request, "prd-grace")
    room.clock.pass_(hours=20)  # what was proven is so still when others look at it
    assert room.approve(request, "prd-edsger").state == "done"
    assert room.door.protection_of(DIGEST) == "tpm"
    assert room.door.verify()


def test_vendors_that_are_not_taken_any_more(tmp_path: Path) -> None:
    """The policy has come to name nobody: what was proof before is none any more."""
    made = World(tmp_path / "room", text=rules("preferred", PEM), clock=Clock(NOW)).found()
    made.clock.at += timedelta(seconds=1)
    request = made.sign(made.door.request_policy("prd-grace", policy_text())).id
    made.approve(request, "prd-edsger")
    made.approve(request, "prd-barbara")
    with pytest.raises(DeniedError, match="does not lead to a root"):
        made.door.begin_request("prd-ada", "workstation", subject(made))
    made.door.close()


POLICIES = {
    "another word": ('tpm = "always"', "none of required, preferred, off"),
    "a flag": ("tpm = true", "is not a text"),
    "nobody who vouches": ('tpm = "required"', "names nobody who vouches"),
    "no certificate": ("tpm_roots = ['x']", "not one certificate in PEM"),
}


@pytest.mark.parametrize("case", POLICIES)
def test_policies_that_cannot_be(case: str) -> None:
    line, words = POLICIES[case]
    with pytest.raises(PolicyError, match=words):
        parse_policy(policy_text(f"\n[workstations]\n{line}\n").encode())


def test_policies() -> None:
    assert parse_policy(policy_text().encode()).tpm.mode == "preferred"
    policy = parse_policy(rules("required", PEM).encode())
    assert (policy.tpm.mode, policy.tpm.roots) == ("required", (ROOT,))
