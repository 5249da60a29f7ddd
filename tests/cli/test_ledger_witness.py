"""``immure serve witness`` as a person starts it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from immure.auditlog import NoteKey
from immure.auditlog.cosignature import parse_witness
from immure.cli.main import run as run_immure
from immure.custody.generate import generate
from immure.ledger.witnesses import Place, Witnesses
from ledger.making import House, row
from ledger.witnessing import witness
from servers.tls import Authority

LOG = NoteKey("login.example/ledger", bytes(31) + b"\1").to_vkey()
NAME, KEY = ("--name", "witness.example"), ("--key", "file:witness.key")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    generate("witness.key")
    (tmp_path / "seen").mkdir()
    (tmp_path / "log.vkey").write_text(f"# the ledger\n{LOG}\n")
    return tmp_path


def test_its_key(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("serve", "witness", *NAME, *KEY, "--state", "new", "--init", "--log", "log.vkey", "--check")
    assert run_immure(arguments) == 0
    said = capsys.readouterr().out
    assert parse_witness(said.rpartition(": ")[2]).name == "witness.example"
    assert (place / "new").is_dir()


FAILURES = [
    (("--state", "gone"), 2, "would sign another history"),
    (("--listen", "0.0.0.0:8940"), 2, "others could change"),
    (("--listen", "example"), 2, "HOST:PORT"),
    (("--listen", "127.0.0.1:99999"), 2, "HOST:PORT"),
    (("--log", "nowhere"), 2, "neither a key nor a file"),
    (("--log", LOG), 2, "two keys for one log"),
    (("--log", "a+b+c"), 2, "not a public key"),
    (("--name", "two words"), 2, "without white space"),
    (("--key", "file:nowhere"), 3, "nowhere"),
    (("--state", "witness.key"), 2, "is a file"),
    (("--certificate", "x"), 2, "go together"),
    (("--certificate", "x", "--certificate-key", "y"), 2, "cannot be used"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), FAILURES)
def test_failures(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = (*NAME, *KEY, "--state", "seen", "--log", "log.vkey", *arguments, "--check")
    assert run_immure(("serve", "witness", *given)) == code
    assert words in capsys.readouterr().err


def test_an_address_that_is_taken(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uvicorn", reason="NOT TESTED: uvicorn is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = (*NAME, *KEY, "--state", "seen", "--log", "log.vkey", "--listen", f"127.0.0.1:{port}")
        assert run_immure(("serve", "witness", *given)) == 2
    assert "cannot listen on" in capsys.readouterr().err


def test_over_tls(tmp_path: Path) -> None:
    """The client trusts the authority that it is told, and no other; a prefix is a part of the URL."""
    pytest.importorskip("uvicorn", reason="NOT TESTED: uvicorn is not installed")
    authority = Authority(tmp_path)
    pair, house = authority.issue("witness"), House(tmp_path)
    house.batch(row())
    key = NoteKey(house.signer.name, house.signer.public_key)
    options = ("--certificate", str(pair.certificate), "--certificate-key", str(pair.key), "--prefix", "/w1")
    with witness(tmp_path / "w", key, options=options) as running:
        at = Place(running.place.key, running.place.url.replace("http:", "https:") + "/w1")
        trusting = Witnesses([at], ca_file=str(authority.certificate)).ask(house.log)
        assert trusting is not None
        assert trusting.state == "witnessed"
        others = Witnesses([at]).ask(house.log)
        assert others is not None
        assert others.outcomes[0].words == "cannot be reached (SSLCertVerificationError)"
