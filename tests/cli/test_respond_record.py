"""``immure respond``: the record, evidence, bundles, as a person uses them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from immure.auditlog import AuditLog
from immure.cli.main import run as run_immure
from immure.custody.generate import generate
from immure.vault import Vault

OPEN = ("open", "incident", "--kind", "key-in-dump", "--kid", "k1", "--issuer", "https://login.example")


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMMURE_INCIDENT_KEY", "file:incident.key")
    monkeypatch.setenv("IMMURE_ACTOR", "ann")
    generate("incident.key")

    def run(*arguments: str) -> Result:
        code = run_immure(["respond", *arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def opened(run: Run) -> Run:
    made = run(*OPEN, "--name", "i-1")
    assert made.code == 0
    Path("log.vkey").write_text(made.out.rsplit(": ", 1)[1])
    return run


def test_opening(run: Run) -> None:
    made = run(*OPEN, "--summary", "found in app.core")
    assert made.code == 0
    assert made.out.splitlines()[1].startswith("public key of its log: immure.incident/")
    assert "for trials" in made.err  # a key in a file
    assert run(*OPEN).code == 3
    shown = run("status", "incident")
    assert shown.code == 0
    assert "key-in-dump: key k1 of https://login.example\n  found in app.core\n" in shown.out
    answer = json.loads(run(*OPEN[:1], "other", *OPEN[2:], "--format", "json", "-q").out)
    assert answer["log_key"].startswith(f"immure.incident/{answer['incident']}+")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("open", "i"), 2, "give --kind and --kid, or --finding"),
        (("open", "i", "--kind", "guess", "--kid", "k1"), 2, "no kind of finding"),
        (("open", "i", "--finding", "none.json"), 2, "none.json: cannot be read: No such file"),
        (("open", "i", "--kind", "report", "--kid", "k1", "--key", "file:none"), 3, "none"),
        (("open", "i", "--kind", "report", "--kid", "k1", "--by", ""), 2, "named in a line"),
        (("status", "nowhere"), 3, "no incident"),
        (("add", "nowhere", "x"), 3, "no incident"),
        (("add", "incident", "x", "--about", "y"), 2, "given together"),
        (("add", "incident", ""), 0, ""),
        (("correct", "incident", "9", "x"), 2, "no entry 9"),
        (("correct", "incident", "0", "x"), 2, "is not corrected"),
        (("role", "incident", "--to", "bo"), 2, "either --grant or --revoke"),
        (("role", "incident", "--grant", "king", "--to", "bo"), 2, "no role"),
        (("role", "incident", "--grant", "lead", "--to", "bo", "--by", "bo"), 2, "no lead"),
        (("evidence", "incident"), 2, "nothing to collect"),
        (("evidence", "incident", "none.log"), 3, "none.log: No such file"),
        (("evidence", "incident", "incident.key", "--kind", "image"), 2, "give --vault"),
        (("evidence", "incident", "incident.key", "--tsa-ca", "x"), 2, "--tsa-ca needs --tsa"),
        (("evidence", "incident", "incident.key", "--tsa", "http://127.0.0.1:9"), 3, "no answer"),
        (("evidence", "incident", "--jwks", "http://127.0.0.1:9"), 3, "127.0.0.1:9"),
        (("export", "incident", "-o", "nowhere/x.tar"), 3, "No such file"),
        (("verify", "none.tar"), 3, "No such file"),
        (("verify", "incident.key"), 3, "no bundle"),
        (("verify", "incident", "--known", "x"), 2, "--known needs --log-key"),
        (("verify", "incident", "--tsa-ca", "none.pem"), 2, "No such file"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line(
    opened: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = opened(*arguments)
    assert done.code == code
    lines = [line for line in done.err.splitlines() if "for trials" not in line]
    assert words in "".join(lines)
    assert len(lines) == bool(words)
    assert "Traceback" not in done.err


def test_facts_and_corrections(opened: Run) -> None:
    assert opened("add", "incident", "left in April", "--about", "left", "--value", "4").out.startswith(
        "entry 2 of i-1"
    )
    opened("add", "incident", "left in May", "--about", "left", "--value", "5", "--source", "mail", "-q")
    shown = opened("status", "incident")
    assert shown.code == 1
    assert "CONFLICT  entries 2, 3 disagree about left: correct one" in shown.out
    assert opened("correct", "incident", "3", "it was April", "--confidence", "likely").code == 0
    again = opened("correct", "incident", "3", "no")
    assert (again.code, "correct that one" in again.err) == (2, True)
    shown = opened("status", "incident")
    assert shown.code == 0
    assert "left in May" not in shown.out
    whole = opened("status", "incident", "--timeline").out
    assert "left in May  (mail)  [corrected by 4]" in whole
    plain = json.loads(opened("status", "incident", "--format", "json").out)
    assert [one["kind"] for one in plain["entries"]] == ["opened", "role", "fact", "fact", "correction"]
    assert plain["entries"][4]["corrects"] == 3


def test_closing(opened: Run) -> None:
    assert opened("add", "incident", "over", "--close").code == 0
    assert "i-1, closed" in opened("status", "incident").out
    assert "correct entry 2" in opened("add", "incident", "more").err
    opened("correct", "incident", "2", "not yet")
    assert opened("add", "incident", "more").code == 0


def test_roles(opened: Run) -> None:
    answer = opened("role", "incident", "--grant", "approver", "--to", "bo", "--format", "json")
    assert json.loads(answer.out)["roles"]["approver"] == ["bo"]
    assert "approver     bo" in opened("status", "incident").out
    opened("role", "incident", "--revoke", "approver", "--to", "bo", "-q")
    assert "approver" not in opened("status", "incident").out


def test_evidence_and_a_bundle(opened: Run, tmp_path: Path) -> None:
    Path("access.log").write_text("line\n")
    Path("app.core").write_text("a dump")
    Vault.create(tmp_path / "vault")
    assert opened("evidence", "incident", "access.log").code == 0
    assert opened("evidence", "incident", "app.core", "--kind", "image", "--vault", "vault").code == 0
    exported = opened("export", "incident", "-o", "incident.tar")
    assert "incident.tar: 4 entries, 1 files" in exported.out
    assert "sealed in a vault: sha256:" in exported.out
    found = opened("verify", "incident.tar", "--log-key", "log.vkey")
    assert (found.code, found.out.splitlines()[-1]) == (0, "HOLDS  incident.tar")
    assert opened("verify", "incident", "--log-key", "log.vkey").code == 0
    bare = opened("verify", "incident.tar")
    assert (bare.code, bare.out.splitlines()[-1]) == (3, "NOT ALL CHECKED  incident.tar")
    Path("changed.tar").write_bytes(Path("incident.tar").read_bytes().replace(b"line\n", b"lime\n"))
    changed = opened("verify", "changed.tar", "--log-key", "log.vkey", "--format", "json")
    assert (changed.code, json.loads(changed.out)["verdict"]) == (1, "altered")


def test_a_checkpoint_that_was_kept(opened: Run) -> None:
    Path("kept").write_bytes(AuditLog.open("incident/log").checkpoint().note)
    opened("add", "incident", "more", "-q")
    assert opened("verify", "incident", "--log-key", "log.vkey", "--known", "kept").code == 0


def test_a_finding_of_a_report(run: Run) -> None:
    report = {
        "schema": "https://immure.example/schemas/scan-report-1.json",
        "images": [{"path": "app.core", "findings": [{"proof": "divides n", "key": {
            "kid": "prod-1", "issuer": "https://login.example", "thumbprint": "tp"}}]}],
    }  # fmt: skip
    Path("scan.json").write_text(json.dumps(report))
    assert run("open", "i", "--finding", "scan.json").code == 0
    plain = json.loads(run("status", "i", "--format", "json").out)["finding"]
    assert (plain["kind"], plain["kid"], plain["source"]) == ("key-in-dump", "prod-1", "scan.json")
    assert plain["details"]["thumbprint"] == "tp"
    assert "no finding of 'k9'" in run("open", "j", "--finding", "scan.json", "--kid", "k9").err
    Path("scan.json").write_text("{}")
    assert run("open", "j", "--finding", "scan.json").code == 2


def test_a_key_set_is_fetched(opened: Run) -> None:
    """A snapshot of what is served now; one with a private key in it is refused."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    served = [b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}']

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(served[-1])

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        assert opened("evidence", "incident", "--jwks", url).code == 0
        served.append(served[0].replace(b'"AA"', b'"AA", "d": "AA"'))
        refused = opened("evidence", "incident", "--jwks", url)
        assert (refused.code, "private key" in refused.err) == (3, True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(os.listdir("incident/evidence")) == 1


@pytest.mark.parametrize(
    "command",
    ["open", "status", "add", "correct", "role", "evidence", "export", "verify", "blast-radius"],
)
def test_help_teaches(run: Run, command: str) -> None:
    shown = run(command, "--help")
    assert shown.code == 0
    assert f"immure respond {command}" in shown.out.split("Examples:")[1]
    assert "Exit codes:" in shown.out
