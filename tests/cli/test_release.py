"""``immure release``, ``vault``, ``policy``: from the command line to what is visible, and the exit codes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from access.rooms import Clock
from access.rooms import World as Room
from immure import clock
from immure.cli import main
from immure.clock import to_rfc3339
from immure.custody.note_signer import NoteSigner
from transfer.material import DUMP, ORIGIN, POLICY, RAM, changed, clearance_json, envelope, sha256, signer


class Desk:
    """A directory to work in, and commands."""

    def __init__(self, top: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.top = top
        self._capsys = capsys
        for name in ("release", "log"):
            signer(top, name)
        (top / "out").mkdir()
        (top / "app.core").write_bytes(DUMP)
        self.clear()
        (top / "policy.toml").write_text(POLICY.replace("{out}", str(top / "out")))

    def clear(self, path: str = "", value: object = None) -> None:
        said, now = clearance_json(), clock.now().replace(microsecond=0)
        said |= {
            "issued": to_rfc3339(now - timedelta(minutes=5)),
            "expires": to_rfc3339(now + timedelta(hours=1)),
        }
        said = changed(said, path, value) if path else said
        (self.top / "app.core.intoto.json").write_bytes(envelope(said, DUMP, signer(self.top)))

    def run(self, *words: str, code: int = 0) -> str:
        """What a command prints; it must end with that code."""
        ended = main.run(words)
        printed = self._capsys.readouterr()
        assert ended == code, printed
        return printed.out + printed.err

    def release(self, *more: str, code: int = 0) -> str:
        words = "release app.core --to out --policy policy.toml --vault vault --log audit --log-key file:log"
        return self.run(*words.split(), "--log-origin", ORIGIN, *more, code=code)

    def visible(self) -> list[str]:
        return os.listdir(self.top / "out")


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(dir=RAM) as top:
        monkeypatch.chdir(top)
        made = Desk(Path(top), capsys)
        made.run("vault", "init", "vault", "--quiet")
        yield made


def test_a_release(desk):
    printed = desk.release()
    assert f"RELEASED  file://{desk.top}/out/app.core\n" in printed
    assert f"sha256:{sha256(DUMP)}" in printed
    assert f"log        entries 0 and 1 of {ORIGIN}" in printed
    assert (desk.top / "out/app.core").read_bytes() == DUMP
    assert "(the same bytes were there already)" in desk.release()
    assert desk.release("--quiet") == ""


def test_a_release_that_a_room_must_grant(desk):
    origin, key = "access.prod.example/room", signer(desk.top, "door")
    room = Room(desk.top / "room", signer=NoteSigner(origin, key), clock=Clock(clock.now()))
    room.found()
    policy = (desk.top / "policy.toml").read_text()
    (desk.top / "policy.toml").write_text(
        policy.replace("[findings]", "[grant]\nrequired = true\n\n[findings]")
    )
    by_room = ("--room", "room", "--room-key", "file:door")
    assert "grant: no grant was shown" in desk.release(code=1)
    assert "nobody was granted release on dump:" in desk.release(*by_room, code=1)
    identity = room.granted(resource=f"dump:{sha256(DUMP)}", actions=["release"])
    room.door.close()
    (desk.top / "grant").write_text(identity)
    assert "nobody was granted" in desk.release(*by_room, "--as", "prd-grace", code=1)
    (desk.top / "room" / "log").rename(desk.top / "decisions")  # a room may write to a log elsewhere
    elsewhere = (*by_room, "--room-log", "decisions")
    assert "RELEASED" in desk.release(*elsewhere, "--as", "prd-ada", "--grant", "grant")
    (desk.top / "decisions").rename(desk.top / "room" / "log")
    with room.open() as door:
        used = [one.body["document"] for one in door.log.entries() if one.kind.endswith("used")]
    assert [(one["grant"], one["detail"]["dump"]) for one in used] == [(identity, sha256(DUMP))]


@pytest.mark.parametrize("more", [("--as", "prd-ada"), ("--room-key", "file:log"), ("--room-log", "log")])
def test_options_that_need_a_room(desk, more):
    assert "need --room" in desk.release(*more, code=2)


def test_the_receipt(desk):
    receipt = json.loads(desk.release("--format", "json", "--quiet"))
    assert receipt["schema"] == "https://immure.example/schemas/release-receipt-1.json"
    assert receipt["log"]["checkpoint"].startswith(f"{ORIGIN}\n2\n")
    desk.release("--output", "receipt.json", "--quiet")
    assert json.loads((desk.top / "receipt.json").read_text())["placed"] == "present"
    assert "no such directory" in desk.release("-o", "no/where.json", code=2)


def test_a_refusal(desk):
    desk.clear("searched.mode", "quick")
    printed = desk.release(code=1)
    assert (
        "immure: app.core: not released: mode: searched in quick mode, and exhaustive is demanded" in printed
    )
    refusal = json.loads(desk.release("--format", "json", "-q", code=1).partition("\nimmure: ")[0])
    assert (refusal["released"], refusal["rule"]) == (False, "mode")
    assert {"rule": "subject", "allowed": True} in refusal["rules"]
    assert desk.visible() == []
    assert len((desk.top / "audit/entries.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("--to elsewhere", 3, "cannot be opened as a directory: No such file"),
        ("--to ftp://files.example/x", 2, "is not a destination"),
        ("--to s3://key:secret@bucket/x", 2, "user names and passwords do not belong in a destination"),
        ("--policy no.toml", 2, "no.toml: cannot be read"),
        ("--clearance no.json", 1, "clearance: there is no clearance: no.json: cannot be read"),
        ("--vault no", 3, "is not a vault"),
        ("--log-key file:no", 3, "no: No such file"),
        ("--log-origin other.example/log", 2, "is the log 'logs.example/gate', not 'other.example/log'"),
        ("--grant no", 2, "no: cannot be read"),
        ("--signer-keys no", 2, "no"),
        ("--name ../x", 2, "is not a name to release a dump under"),
        ("--vault-key-file a --vault-passphrase-file b", 2, "either a key file or a passphrase"),
    ],
)
def test_what_cannot_be_done(desk, words, code, reason):
    desk.release("--name", "first.core", "-q")
    printed = desk.release(*words.split(), code=code)
    assert reason in printed
    assert "secret" not in printed
    assert desk.visible() == ["first.core"]


def test_a_dump_that_is_no_file(desk):
    (desk.top / "app.core").unlink()
    assert "app.core: cannot be opened: No such file or directory" in desk.release(code=2)


def test_a_link_if_it_must_not_be_one(desk):
    (desk.top / "app.core").rename(desk.top / "real")
    (desk.top / "app.core").symlink_to("real")
    assert "symbolic links" in desk.release("--no-follow", code=2)
    desk.release("--quiet")


def test_no_log_is_begun_by_accident(desk):
    words = "release app.core --to out --policy policy.toml --vault vault --log none --log-key file:log"
    assert "none: there is no log; --log-origin NAME begins one" in desk.run(*words.split(), code=2)


def test_another_log_key(desk):
    desk.release("-q")
    assert "audit" in desk.release("--log-key", "file:release", code=3)


def test_a_pinned_signer(desk):
    pin = signer(desk.top).thumbprint
    (desk.top / "policy.toml").write_text(
        POLICY.replace("{out}", str(desk.top / "out")).replace(
            'keys = ["release.pub"]', f'thumbprints = ["{pin}"]'
        )
    )
    assert "only 0 public keys are known of those that may sign" in desk.release(code=1)
    desk.release("--signer-keys", "release.pub", "--quiet")


def test_a_dump_out_of_the_vault(desk):
    identity = desk.run("vault", "seal", "vault", "app.core").strip()
    assert identity == f"sha256:{sha256(DUMP)}"
    (desk.top / "app.core").unlink()
    words = f"release {identity} --to out --policy policy.toml --vault vault --log audit --log-key file:log"
    assert "needs --clearance and --name" in desk.run(*words.split(), code=2)
    more = ["--clearance", "app.core.intoto.json", "--name", "app.core", "--log-origin", ORIGIN, "-q"]
    desk.run(*words.split(), *more)
    assert desk.visible() == ["app.core"]


# --- immure vault ---


def test_a_vault_from_beginning_to_end(desk):
    assert "v2 is a vault now; its key is kek" in desk.run("vault", "init", "v2", "--key-file", "kek")
    key = ("--key-file", "kek")
    identity = desk.run("vault", "seal", "v2", "app.core", *key).strip()
    assert json.loads(desk.run("vault", "seal", "v2", "app.core", "-f", "json", *key))["name"] == "app.core"
    assert desk.run("vault", "list", "v2").split()[:2] == [identity, f"{len(DUMP):,}"]
    assert desk.run("vault", "verify", "v2", *key) == f"good  {identity}  app.core\n"
    for verb in (["verify", "v2"], ["seal", "v2", "app.core"]):
        assert "its keys are wrapped" in desk.run("vault", *verb, code=3)
    assert "is destroyed" in desk.run("vault", "destroy", "v2", identity)
    assert desk.run("vault", "list", "v2") == ""
    [stone] = json.loads(desk.run("vault", "list", "v2", "--destroyed", "-f", "json"))
    assert (stone["id"], stone["replaced"]) == (identity, False)
    assert "was destroyed" in desk.run("vault", "verify", "v2", identity, *key, code=3)
    assert "was destroyed" in desk.run("vault", "destroy", "v2", identity, code=3)


def test_a_dump_that_was_altered(desk):
    desk.run("vault", "seal", "vault", "app.core", "-q")
    [path] = (desk.top / "vault/dumps").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert f"{path.name}: at offset" in desk.run("vault", "verify", "vault", code=1)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("init out", 0, "is a vault now"),
        ("init vault", 3, "is not empty"),
        ("init v --key-file a --passphrase-file b", 2, "either a key file or a passphrase"),
        ("seal out app.core", 3, "is not a vault"),
        ("seal vault no.core", 2, "no.core: cannot be opened: No such file"),
        ("seal vault app.core --key-file no", 3, "no: cannot be read: No such file"),
        ("destroy vault app.core", 3, "names no dump"),
        ("list out", 3, "is not a vault"),
    ],
)
def test_what_a_vault_says(desk, words, code, reason):
    assert reason in desk.run("vault", *words.split(), code=code)


# --- immure policy ---


def test_a_policy_is_checked(desk):
    printed = desk.run("policy", "check", "policy.toml")
    assert f"to         file://{desk.top}/out\n" in printed
    version = json.loads(desk.run("policy", "check", "policy.toml", "-f", "json"))
    assert version["sha256"] == sha256((desk.top / "policy.toml").read_bytes())
    (desk.top / "policy.toml").write_text("version = 1\nsings = 2\n")
    assert "needs 'signers', a table" in desk.run("policy", "check", "policy.toml", code=2)


def test_a_policy_is_tested(desk):
    (desk.top / "tests.toml").write_text(
        'version = 1\n[[test]]\nname = "good"\nexpect = "allow"\n'
        '[[test]]\nname = "large"\nexpect = "deny"\nrule = "max-size"\nfacts = { size = "5 MiB" }\n'
    )
    assert (
        desk.run("policy", "test", "policy.toml", "tests.toml")
        == "passed  good\npassed  large\n2 of 2 tests passed\n"
    )
    assert desk.run("policy", "test", "policy.toml", "tests.toml", "-q") == ""
    text = (desk.top / "policy.toml").read_text()
    (desk.top / "policy.toml").write_text(text.replace("4 MiB", "8 MiB"))
    printed = desk.run("policy", "test", "policy.toml", "tests.toml", code=1)
    assert "FAILED  large: should be denied by max-size, is: size: cleared were" in printed
    results = json.loads(desk.run("policy", "test", "policy.toml", "tests.toml", "-f", "json", code=1))
    assert [result["passed"] for result in results] == [True, False]


def test_a_policy_is_installed(desk):
    (desk.top / "new.toml").write_text((desk.top / "policy.toml").read_text().replace("4 MiB", "1 KiB"))
    assert "policy.toml is sha256:" in desk.run("policy", "install", "new.toml", "policy.toml")
    assert "max-size" in desk.release(code=1)
    (desk.top / "new.toml").write_text("version = 3")
    assert "another version" in desk.run("policy", "install", "new.toml", "policy.toml", code=2)
    assert "max-size" in desk.release(code=1)
