"""A workstation whose key is in a TPM (swtpm) is bound by the page, with the evidence as files have it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cryptography import x509

from access.rooms import World
from access.tpm.conftest import Makers, makers, room  # noqa: F401 - fixtures
from access.tpm.test_enrolling import certified, key_of, proven
from access.web.client import Client
from access.web.machines import pem
from access.web.test_people import approved, asked


def test_a_workstation_with_a_tpm(makers: Makers, room: World, tmp_path: Path) -> None:  # noqa: F811
    offer, evidence = proven(makers, room, tmp_path / "keys")
    certificate = certified(key_of(offer))
    ada = Client(room).sign_in()
    text = pem(x509.load_der_x509_certificate(certificate))
    given = {"account": "prd-ada", "certificate": text, "evidence": json.dumps(evidence)}
    page = ada.post("/do/workstation", **given).text
    assert "protection: tpm" in page
    approved(room, asked(ada, "workstation", **given))
    assert room.door.protection_of(hashlib.sha256(certificate).hexdigest()) == "tpm"
    assert "its key is in a TPM" in ada.get("/workstations").text
