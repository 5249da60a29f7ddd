"""``immure access tpm`` and what follows: files from hand to hand, with a real swtpm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as ser

from access.rooms import World
from access.tpm.conftest import Makers
from access.tpm.test_enrolling import certified
from immure.cli import main

KEY = ("--key", "file:log.key")
TPM = ("--keys", "tpm-keys", "-o")


@pytest.fixture
def place(room: World, makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the room's key, in which "room" and "tpm" are what they say."""
    monkeypatch.chdir(tmp_path)
    private = room.signer._key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    Path("log.key").write_bytes(private)
    Path("log.key").chmod(0o600)
    Path("room").symlink_to(room.path)
    Path("tpm").symlink_to(makers.one)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    found = int(main.run(["access", *arguments]))
    out, err = capsys.readouterr()
    assert found == code, (arguments, out, err)
    assert "Traceback" not in err
    return out + err


def test_from_hand_to_hand(
    place: Path, room: World, makers: Makers, capsys: pytest.CaptureFixture[str]
) -> None:
    device = ("--device", "tpm", *TPM)
    issuer = str(makers.vendor.issuer)
    said = run(capsys, "tpm", "offer", *device, "offer.json", "--name", "laptop-17", "--chain", issuer)
    assert said == "offer.json: the key of laptop-17, in the TPM; keys are kept in tpm-keys\n"
    run(capsys, "tpm", "challenge", "room", "prd-ada", "offer.json", "-o", "challenge.json")
    run(capsys, "tpm", "answer", "challenge.json", *device, "answer.json", "-q")
    said = run(capsys, "tpm", "verify", "room", "answer.json", "-o", "proof.json", "--request", "csr.pem")
    assert "proof.json: the key is in a TPM: id:00001014 swtpm id:20191023, sha256:" in said
    again = run(capsys, "tpm", "verify", "room", "answer.json", "-o", "again.json", code=1)
    assert "no challenge waits for this answer" in again
    assert not Path("again.json").exists()

    request = x509.load_pem_x509_csr(Path("csr.pem").read_bytes())
    assert request.subject.rfc4514_string() == "CN=laptop-17"
    Path("laptop.der").write_bytes(certified(request.public_key()))
    ask = ("workstation", "room", "prd-ada", "laptop.der")
    half = ("--as", "prd-ada", "--options", "sign.json", *KEY)
    refused = run(capsys, *ask, *half, code=1)
    assert "the policy demands that the key of a workstation is in a TPM" in refused
    assert "protection: tpm" in run(capsys, *ask, "--tpm", "proof.json", *half)
    options = json.loads(Path("sign.json").read_text())["options"]
    Path("response.json").write_text(json.dumps(room.keys["prd-ada"][0].get(options)))
    done = run(capsys, *ask, "--assertion", "response.json", *KEY, "-f", "json")
    door = room.again()
    for account in ("prd-grace", "prd-edsger"):
        room.sign(door.begin_approval(account, json.loads(done)["id"]))
    assert "  machine   tpm  active  " in run(capsys, "person", "show", "room", "prd-ada")
    shown = json.loads(run(capsys, "person", "show", "room", "prd-ada", "-f", "json"))
    assert [one["protection"] for one in shown["people"][0]["workstations"]] == ["tpm"]
    assert "key in tpm  id:00001014 swtpm" in run(capsys, "report", "room", "-q")
    run(capsys, "verify", "room")


MISTAKES = {
    "no TPM": (("offer", "--device", "nowhere", "--name", "a", *TPM, "x"), 2, "nowhere: No such file"),
    "no name": (("offer", "--device", "tpm", "--name", "", *TPM, "x"), 2, "1 to 64 characters"),
    "no chain": (("offer", "--device", "tpm", "--name", "a", "--chain", "log.key", *TPM, "x"), 2, "log.key"),
    "no place": (("offer", "--device", "tpm", "--name", "a", "--keys", "k", "-o", "no/x"), 2, "no/x"),
    "no offer": (("challenge", "room", "prd-ada", "nowhere.json", "-o", "x"), 2, "nowhere.json"),
    "an offer that is none": (("challenge", "room", "prd-ada", "list.json", "-o", "x"), 2, "no object"),
    "an offer of nothing": (("challenge", "room", "prd-ada", "empty.json", "-o", "x"), 1, "an offer has v"),
    "nobody": (("challenge", "room", "prd-nobody", "empty.json", "-o", "x"), 1, "there is no account"),
    "no room": (("challenge", "nowhere", "prd-ada", "empty.json", "-o", "x"), 3, "nowhere"),
    "an answer that is none": (("verify", "room", "empty.json", "-o", "x"), 1, "of another version"),
    "a challenge that is none": (
        ("answer", "empty.json", "--device", "tpm", *TPM, "x"), 3, "a challenge has v, document"),
    "no keys": (("answer", "c.json", "--device", "tpm", *TPM, "x"), 2, "tpm-keys/attestation.tpm: No such"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(place: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, code, words = MISTAKES[case]
    Path("list.json").write_text("[]")
    Path("empty.json").write_text("{}")
    names = ("room", "account", "nonce", "offer")
    document = {"v": 1, "issued": "2026-11-30T09:00:00Z", **dict.fromkeys(names, "a")}
    Path("c.json").write_text(json.dumps({"v": 1, "document": document, "credential": "AA", "wrapped": "AA"}))
    assert words in run(capsys, "tpm", *arguments, code=code)
    assert not Path("x").exists()
