"""Feeds public areas, attestations, signatures and evidence of TPMs to what takes them: nothing is proven."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from driver import run

from immure.access.tpm.challenges import prove
from immure.access.tpm.device import _Answer
from immure.access.tpm.endorsement import model_of, verify_endorsement
from immure.access.tpm.enrolling import _trimmed
from immure.access.tpm.evidence import Answer, load_json, verify_answer
from immure.access.tpm.structures import parse_area, parse_attestation, verify_signature
from immure.errors import ImmureError, InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from access.tpm.made import ATTESTATION, ENDORSEMENT, KEY, NOW, ROOT, SECRET, answer, document, offer

SECONDS = 1.0
OFFER = offer()
DOCUMENT = document(OFFER)
GOOD = answer(OFFER)
EVIDENCE = {"v": 1, "document": DOCUMENT, "offer": OFFER.to_json(), "answer": GOOD.to_json()}
TEXT = json.dumps(EVIDENCE).encode()
AREA = parse_area(ATTESTATION.area)
SEEDS = [TEXT, KEY.area, ATTESTATION.area, GOOD.attested, GOOD.signature, ENDORSEMENT, OFFER.request]


def check(data: bytes) -> None:
    """An error that is ours, or what was signed to begin with."""
    begun = time.thread_time()
    for parse in (parse_area, parse_attestation, _trimmed, lambda one: _Answer(one, True, True).rest()):
        try:
            parse(data)
        except ImmureError:
            continue
    _signature(data)
    _certificate(data)
    _evidence(data)
    for said in (Answer(SECRET, data, GOOD.signature), Answer(SECRET, GOOD.attested, data),
                 Answer(data, GOOD.attested, GOOD.signature)):  # fmt: skip
        try:
            verify_answer(DOCUMENT, OFFER, said, [ROOT], NOW)
        except InputError:
            continue
        assert data in (GOOD.attested, GOOD.signature, SECRET), "proven by what nobody has signed"
    assert time.thread_time() - begun < SECONDS


def _signature(data: bytes) -> None:
    try:
        verify_signature(AREA, data, b"another message")
    except InputError:
        return
    raise AssertionError("a signature that nobody has made")


def _certificate(data: bytes) -> None:
    try:
        model_of(verify_endorsement(data, (), [ROOT], NOW))
    except InputError:
        return
    assert data == ENDORSEMENT, "a certificate that nobody has signed"


def _evidence(data: bytes) -> None:
    """Evidence that proves something says what the good one says, however it is spelled."""
    try:
        found = load_json(data)
        prove(found, (ROOT,), NOW)
    except InputError:
        return
    assert found == EVIDENCE, "proven by other evidence"


if __name__ == "__main__":
    run(check, SEEDS)
