"""``immure access``: what it prints, and what it ends with; keys by files, and over CTAP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.ctap import CtapError

from access.authenticator import Authenticator, Authority, b64, name
from access.ctap import Key
from access.metadata_service import Service, entry
from access.rooms import policy_text
from access.test_policy import TESTS
from immure.cli import access_usb, main

NAMES = ("prd-ada", "prd-grace", "prd-edsger", "prd-barbara")


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str, code: int = 0) -> Result:
        found = int(main.run(["access", *arguments]))
        out, err = capsys.readouterr()
        assert found == code, (arguments, out, err)
        assert "Traceback" not in err
        return Result(found, out, err)

    return command


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("access.toml").write_text(policy_text())
    return tmp_path


KEY = ("--key", "file:log.key")


class Desk:
    """A terminal at which people act, each with their keys."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.keys: dict[str, list[Authenticator]] = {}

    def act(self, command: tuple[str, ...], account: str, *arguments: str, code: int = 0) -> Result:
        """A command by which somebody acts, in two halves: options, and then the response."""
        room, rest = arguments[:1], arguments[1:]
        begun = self.run(*command, *room, *rest, "--as", account, "--options", "sign.json", *KEY, code=code)
        if code:
            return begun
        sign = json.loads(Path("sign.json").read_text())
        assert sign["words"][0].startswith(account)
        response = self.keys[account][0].get(sign["options"])
        Path("response.json").write_text(json.dumps(response))
        named = [one for one in rest if not one.startswith("--")][:1] if command not in _ALL_OPTIONS else []
        flags = [one for one in rest if one in ("--deny", "--give-back")]
        return self.run(*command, *room, *named, *flags, "--assertion", "response.json", *KEY, "-f", "json")

    def enrol(self, account: str, *arguments: str) -> dict[str, Any]:
        self.run("key", "enrol", "room", account, *arguments, "--options", "make.json", *KEY)
        key = Authenticator()
        self.keys.setdefault(account, []).append(key)
        options = json.loads(Path("make.json").read_text())["options"]
        Path("made.json").write_text(json.dumps(key.create(options)))
        done = self.run("key", "enrol", "room", account, "--assertion", "made.json", *KEY, "-f", "json")
        return dict(json.loads(done.out))

    def granted(self, account: str = "prd-ada", *more: str) -> str:
        request = json.loads(self.act(("request",), account, "room", *ASK, *more).out)["id"]
        for other in [one for one in NAMES[1:] if one != account][:2]:
            self.act(("approve",), other, "room", request)
        return str(request)


_ALL_OPTIONS = (("request",), ("break-glass",))
ASK = (
    "--resource", "room:debug", "--action", "enter", "--purpose", "crash of the mailer", "--ticket", "INC-12",
    "--hours", "2",
)  # fmt: skip


def record() -> tuple[str, ...]:
    today = datetime.now(UTC)
    return (
        "--attester", "Example Screening Ltd", "--level", "enhanced", "--reference", "case 12",
        "--screened", (today - timedelta(days=9)).date().isoformat(),
        "--expires", (today + timedelta(days=90)).date().isoformat(),
    )  # fmt: skip


_MADE: dict[str, Any] = {}


@pytest.fixture
def desk(run: Run, place: Path, tmp_path_factory: pytest.TempPathFactory, capsys: Any) -> Desk:
    """A room with four founders; made once by the commands themselves."""
    made = Desk(run)
    if "place" not in _MADE:
        assert main.run(["attest", "keygen", "log.key", "-q"]) == 0
        run("init", "room", "--policy", "access.toml", "--origin", "access.prod.example/room", *KEY)
        for account in NAMES:
            run("person", "add", "room", account, "--person", account.replace("prd-", "P-"), *record(), *KEY)
            made.enrol(account)
            made.enrol(account)
        for account in NAMES:
            made.act(("approve",), account, "room", "founding")
        _MADE["place"] = tmp_path_factory.mktemp("made")
        shutil.copytree("room", _MADE["place"] / "room")
        shutil.copy("log.key", _MADE["place"])
        _MADE["keys"] = made.keys
    else:
        shutil.copytree(_MADE["place"] / "room", "room")
        shutil.copy(_MADE["place"] / "log.key", ".")
    made.keys = {account: [key.copy() for key in keys] for account, keys in _MADE["keys"].items()}
    capsys.readouterr()
    return made


def test_a_grant_by_files(desk: Desk, run: Run) -> None:
    grant = desk.granted()
    shown = run("check", "room", "room:debug", "enter", "--as", "prd-ada")
    assert shown.out.startswith(f"{grant}: prd-ada may enter room:debug until ")
    assert json.loads(run("check", "room", "room:debug", "enter", "-f", "json").out)["approvers"]
    assert run("check", "room", "room:debug", "enter", "-q").out == ""
    none = run("check", "room", "room:debug", "enter", "--as", "prd-grace", code=1)
    assert none.err == "immure: nobody was granted enter on room:debug\n"
    revoked = desk.act(("revoke",), "prd-barbara", "room", grant, "--reason", "not needed any more")
    assert json.loads(revoked.out)["state"] == "revoked"
    assert "is revoked" in run("check", "room", "room:debug", "enter", code=1).err


def test_denied_and_given_back(desk: Desk, run: Run) -> None:
    request = json.loads(desk.act(("request",), "prd-ada", "room", *ASK).out)["id"]
    assert json.loads(desk.act(("approve",), "prd-grace", "room", request, "--deny").out)["state"] == "denied"
    refused = desk.act(("approve",), "prd-edsger", "room", request, code=1)
    assert refused.err == f"immure: the request {request} is denied\n"
    grant = desk.granted()
    assert json.loads(desk.act(("revoke",), "prd-ada", "room", grant, "--give-back").out)["state"] == "closed"


def test_people(desk: Desk, run: Run) -> None:
    new = desk.act(("person", "add"), "prd-ada", "room", "prd-eve", "--person", "P-eve", *record())
    request = json.loads(new.out)["id"]
    assert desk.enrol("prd-eve", "--request", request)["state"] == "keys"
    assert desk.enrol("prd-eve", "--request", request)["state"] == "open"
    for approver in ("prd-grace", "prd-edsger"):
        desk.act(("approve",), approver, "room", request)
    shown = run("person", "show", "room", "prd-eve")
    assert shown.out.splitlines()[0] == "prd-eve  P-eve  active"
    assert shown.out.splitlines()[-1] == "  now       may act"
    people = json.loads(run("person", "show", "room", "-f", "json").out)["people"]
    assert [one["id"] for one in people] == sorted([*NAMES, "prd-eve"])
    assert desk.act(("person", "suspend"), "prd-ada", "room", "prd-eve", "--reason", "odd").code == 0
    assert "suspended" in run("person", "show", "room", "prd-eve").out
    back = desk.act(("person", "reinstate"), "prd-ada", "room", "prd-eve", "--reason", "not so odd")
    assert json.loads(back.out)["state"] == "open"
    assert desk.act(("person", "leave"), "prd-ada", "room", "prd-eve", "--reason", "retires").code == 0
    assert (
        run("person", "show", "room", "prd-nobody", code=1).err == "immure: there is no person 'prd-nobody'\n"
    )
    assert (
        "not an account of this room"
        in desk.act(
            ("person", "add"), "prd-ada", "room", "eve@corp.example", "--person", "P-eve", *record(), code=1
        ).err
    )


def test_keys_and_screening(desk: Desk, run: Run) -> None:
    request = json.loads(desk.act(("key", "add"), "prd-ada", "room", "prd-ada").out)["id"]
    assert desk.enrol("prd-ada", "--request", request)["state"] == "open"
    lost = b64(next(iter(desk.keys["prd-ada"][1].credentials)))
    now = datetime.now(UTC).isoformat()
    done = desk.act(("key", "lost"), "prd-grace", "room", lost, "--since", now)
    assert json.loads(done.out)["state"] == "lost"
    done = desk.act(("screen",), "prd-grace", "room", "prd-ada", *record())
    assert json.loads(done.out)["state"] == "open"


def test_a_workstation(desk: Desk, run: Run) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = Authority.root("Workstations").leaf(name("laptop"), key.public_key(), client=True)
    Path("laptop.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    begun = run(
        "workstation", "room", "prd-ada", "laptop.pem", "--as", "prd-ada", "--options", "sign.json", *KEY
    )
    assert "a workstation" in begun.err
    Path("laptop.pem").write_bytes(b"nothing")
    assert (
        "a certificate that cannot"
        in desk.act(("workstation",), "prd-ada", "room", "prd-ada", "laptop.pem", code=1).err
    )


def test_a_workstation_is_taken_and_retired(desk: Desk, run: Run) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = Authority.root("Workstations").leaf(name("laptop"), key.public_key(), client=True)
    Path("laptop.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    machine = leaf.fingerprint(hashes.SHA256()).hex()
    why = ("--reason", "stolen on the train")
    unknown = desk.act(("retire",), "prd-ada", "room", machine, *why, code=1)
    assert "no such workstation" in unknown.err
    run("workstation", "room", "prd-ada", "laptop.pem", "--as", "prd-ada", "--options", "sign.json", *KEY)
    response = desk.keys["prd-ada"][0].get(json.loads(Path("sign.json").read_text())["options"])
    Path("response.json").write_text(json.dumps(response))
    finish = ("--assertion", "response.json", *KEY, "-f", "json")
    asked = json.loads(run("workstation", "room", "prd-ada", "laptop.pem", *finish).out)["id"]
    for other in ("prd-grace", "prd-edsger"):
        desk.act(("approve",), other, "room", asked)
    assert f"active  {machine}" in run("person", "show", "room", "prd-ada").out
    done = desk.act(("retire",), "prd-grace", "room", machine, *why)
    assert json.loads(done.out)["state"] == "retired"
    assert f"retired  {machine}" in run("person", "show", "room", "prd-ada").out
    assert "is retired" in desk.act(("retire",), "prd-grace", "room", machine, *why, code=1).err


def test_broken_glass(desk: Desk, run: Run) -> None:
    arguments = ("--resource", "room:debug", "--action", "enter", "--reason", "nobody answers")
    done = desk.act(("break-glass",), "prd-ada", "room", *arguments)
    grant = json.loads(done.out)["id"]
    assert "not heard: http://127.0.0.1:9/alarm" in done.err
    assert run("check", "room", "room:debug", "enter").code == 0
    assert "nobody has reviewed" in desk.act(("request",), "prd-ada", "room", *ASK, code=1).err
    review = desk.act(
        ("review",), "prd-grace", "room", grant, "--verdict", "justified", "--reason", "saw the log, INC-12"
    )
    assert json.loads(review.out)["state"] == "justified"


def test_the_report(desk: Desk, run: Run) -> None:
    grant = desk.granted()
    shown = run("report", "room")
    assert "who could enter: 4" in shown.out
    assert f"  {grant}  prd-ada  enter room:debug" in shown.out
    assert "It is a register" in shown.out
    assert "without --known" in shown.err
    made = json.loads(run("report", "room", "-f", "json", "-q").out)
    assert [one["id"] for one in made["grants"]] == [grant]
    assert run("report", "room", "-f", "html", "-o", "report.html", "-q").out == ""
    page = Path("report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "default-src &#x27;none&#x27;; style-src" in page
    assert "<script" not in page
    assert "prd-edsger, prd-grace" in page
    later = json.loads(run("report", "room", "-f", "json", "--since", "2099-01-01", "--quick", "-q").out)
    assert later["grants"] == []
    assert "a time as" in run("report", "room", "--since", "soon", code=2).err


def test_verify_and_restore(desk: Desk, run: Run) -> None:
    kept = Path("kept.checkpoint")
    shutil.copytree("room", "backup")
    desk.granted()
    kept.write_bytes(Path("room/log/checkpoint").read_bytes())
    assert run("verify", "room", "--known", "kept.checkpoint").out.startswith("20 entries")
    assert json.loads(run("verify", "room", "-f", "json").out) == {"entries": 20}
    shutil.copy("backup/door.db", "room/door.db")
    stale = run("verify", "room", code=3)
    assert "it was put back to an older state" in stale.err
    run("check", "room", "room:debug", "enter", code=3)
    restored = run("init", "room", "--restore", *KEY)
    assert restored.out == "20 entries of the log taken in, every signature verified\n"
    assert run("check", "room", "room:debug", "enter").code == 0
    assert "put back" in run("verify", "backup", "--known", "kept.checkpoint", code=3).err


def test_policies(desk: Desk, run: Run) -> None:
    Path("tests.toml").write_text(TESTS)
    checked = run("policy", "check", "access.toml")
    assert "enter, open, release on room:*, dump:*: screened to enhanced, 2 approve, 8 hours" in checked.out
    assert json.loads(run("policy", "check", "access.toml", "-f", "json").out)["sha256"]
    assert run("policy", "test", "access.toml", "tests.toml").out.splitlines()[-1] == "8 of 8 tests passed"
    Path("loose.toml").write_text(policy_text(**{'ticket = "INC-*"': ""}))
    failed = run("policy", "test", "loose.toml", "tests.toml", code=1)
    assert "FAILED  without a ticket: should be denied by ticket, is: allowed" in failed.out
    assert json.loads(run("policy", "test", "access.toml", "tests.toml", "-f", "json").out)[0]["passed"]
    proposed = desk.act(("policy", "propose"), "prd-ada", "room", "loose.toml")
    assert json.loads(proposed.out)["state"] == "open"
    Path("broken.toml").write_text("version = 2")
    assert "broken.toml" in run("policy", "check", "broken.toml", code=2).err
    assert "No such file" in run("policy", "check", "nothing.toml", code=2).err


def test_metadata(desk: Desk, run: Run) -> None:
    service = Service()
    Path("blob.jwt").write_bytes(service.blob(entry(), nextUpdate="2020-01-01"))
    Path("root.pem").write_text(service.root.pem)
    Path("other.pem").write_text(Authority.root("Other").pem)
    done = run("mds", "room", "blob.jwt", "--root", "root.pem", *KEY)
    assert done.out == "number 7: 1 models, 0 of them broken\n"
    assert "a newer one was to come on 2020-01-01" in done.err
    made = json.loads(run("mds", "room", "blob.jwt", "--root", "root.pem", *KEY, "-f", "json").out)
    assert made == {"number": 7, "models": 1, "broken": 0}
    assert (
        "does not lead to a root" in run("mds", "room", "blob.jwt", "--root", "other.pem", *KEY, code=3).err
    )
    Path("blob.jwt").write_bytes(service.blob(entry(), no=6))
    assert "have the number 7" in run("mds", "room", "blob.jwt", "--root", "root.pem", *KEY, code=1).err


# --- what cannot be done as it was given ---


def test_usage(desk: Desk, run: Run, place: Path) -> None:
    assert "needs --as" in run("request", "room", *ASK, *KEY, code=2).err
    assert "needs --resource" in run("request", "room", "--as", "prd-ada", *KEY, code=2).err
    assert (
        "needs --action"
        in run("request", "room", "--as", "prd-ada", "--resource", "room:x", *KEY, code=2).err
    )
    both = ("--options", "a", "--assertion", "b")
    assert "not both" in run("request", "room", "--as", "prd-ada", *both, *KEY, code=2).err
    assert "nothing.json" in run("approve", "room", "x", "--assertion", "nothing.json", *KEY, code=2).err
    Path("noise.json").write_text("{}")
    assert (
        "not a WebAuthn response"
        in run("approve", "room", "x", "--assertion", "noise.json", *KEY, code=1).err
    )
    assert "needs --policy" in run("init", "other", *KEY, code=2).err
    assert "already" in run("init", "room", "--policy", "access.toml", "--origin", "x", *KEY, code=3).err
    run("check", "nowhere", "room:debug", "enter", code=3)
    assert "KIND:NAME" in run("check", "room", "debug", "enter", code=2).err
    assert "needs --person" in run("person", "add", "room", "prd-x", "--as", "prd-ada", *KEY, code=2).err


def test_a_response_to_another_ceremony(desk: Desk, run: Run) -> None:
    """Whoever approves by file must name what they approve."""
    first = json.loads(desk.act(("request",), "prd-ada", "room", *ASK).out)["id"]
    second = json.loads(desk.act(("request",), "prd-ada", "room", *ASK).out)["id"]
    run("approve", "room", first, "--as", "prd-grace", "--options", "sign.json", *KEY)
    sign = json.loads(Path("sign.json").read_text())
    Path("response.json").write_text(json.dumps(desk.keys["prd-grace"][0].get(sign["options"])))
    wrong = run("approve", "room", second, "--assertion", "response.json", *KEY, code=2)
    assert "to another ceremony" in wrong.err
    wrong = run("approve", "room", first, "--as", "prd-edsger", "--assertion", "response.json", *KEY, code=2)
    assert "to another ceremony" in wrong.err
    assert run("approve", "room", first, "--assertion", "response.json", *KEY).out.startswith("approve ")
    again = run("approve", "room", first, "--assertion", "response.json", *KEY, code=1)
    assert "no ceremony waits for this response" in again.err


def test_a_response_to_another_act(desk: Desk, run: Run) -> None:
    """What it is compared with may not be there at all."""
    run("request", "room", "--as", "prd-ada", *ASK, "--options", "sign.json", *KEY)
    sign = json.loads(Path("sign.json").read_text())
    Path("response.json").write_text(json.dumps(desk.keys["prd-ada"][0].get(sign["options"])))
    response = ("--assertion", "response.json", *KEY)
    for command in (
        ("person", "suspend", "room", "prd-grace"),
        ("person", "reinstate", "room", "prd-grace"),
        ("key", "lost", "room", "x"),
        ("approve", "room", "x"),
        ("approve", "room", "founding"),
        ("revoke", "room", "x"),
        ("review", "room", "x"),
        ("break-glass", "room"),
    ):
        assert "to another ceremony" in run(*command, *response, code=2).err
    assert run("request", "room", *response).code == 0


COMMANDS = (
    "", "init", "person add", "key enrol", "screen", "workstation", "retire", "request", "approve", "revoke",
    "break-glass", "review", "check", "report", "verify", "policy propose", "mds",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["access", *command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "Exit codes:" in out
    assert command == "policy propose" or "Examples:" in out


# --- keys that are plugged in ---


def test_a_key_over_ctap(desk: Desk, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of what a terminal does with a key: create, sign, and what goes wrong."""
    from fido2.hid import CtapHidDevice

    plugged: list[Key] = []
    monkeypatch.setattr(CtapHidDevice, "list_devices", staticmethod(lambda: iter(plugged)))
    none = run("request", "room", "--as", "prd-ada", *ASK, *KEY, code=2)
    assert none.err.endswith(
        "immure: no security key is plugged in; one should be. Or use --options and --assertion\n"
    )
    plugged.append(Key(desk.keys["prd-ada"][0]))
    done = run("request", "room", "--as", "prd-ada", *ASK, *KEY)
    request = done.out.split()[1].rstrip(":")
    assert "because: crash of the mailer" in done.err
    plugged[0] = Key(desk.keys["prd-grace"][0])
    assert run("approve", "room", request, "--as", "prd-grace", *KEY).out.startswith(
        f"approve {request}: open"
    )
    wrong = run("approve", "room", request, "--as", "prd-edsger", *KEY, code=3)
    assert wrong.err.endswith("immure: the key does not sign: device ineligible\n")
    plugged.append(Key())
    assert (
        "2 security keys are plugged in"
        in run("approve", "room", request, "--as", "prd-edsger", *KEY, code=2).err
    )
    plugged[:] = [Key(desk.keys["prd-edsger"][0], refuses=int(CtapError.ERR.USER_ACTION_TIMEOUT))]
    assert "the key does not sign" in run("approve", "room", request, "--as", "prd-edsger", *KEY, code=3).err
    plugged[:] = [Key(desk.keys["prd-edsger"][0])]
    assert run("approve", "room", request, "--as", "prd-edsger", *KEY).out.startswith(
        f"approve {request}: done"
    )
    added = json.loads(desk.act(("key", "add"), "prd-grace", "room", "prd-grace").out)["id"]
    assert (
        "the key does not sign"
        in run("key", "enrol", "room", "prd-grace", "--request", added, *KEY, code=3).err
    )  # this key has a credential of the room
    plugged[:] = [Key()]
    assert run("key", "enrol", "room", "prd-grace", "--request", added, *KEY).out.startswith("register ")


def test_a_key_without_verification_signs_nothing(
    desk: Desk, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fido2.hid import CtapHidDevice

    monkeypatch.setattr(CtapHidDevice, "list_devices", staticmethod(lambda: iter([Key(uv=False)])))
    assert "the key does not sign" in run("request", "room", "--as", "prd-ada", *ASK, *KEY, code=3).err


def test_devices_that_cannot_be_listed() -> None:
    from immure.errors import UsageError

    def broken() -> Any:
        raise OSError(13, "Permission denied")

    with pytest.raises(UsageError, match="security keys cannot be asked: Permission denied"):
        access_usb._device(broken)


def test_without_the_extra(desk: Desk, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from immure.cli import access_extra

    monkeypatch.setattr(access_extra, "find_spec", lambda _: None)
    missing = run("key", "enrol", "room", "prd-ada", "--request", "x", *KEY, code=2)
    assert missing.err == "immure: needs fido2: pip install 'immure[access]'\n"
