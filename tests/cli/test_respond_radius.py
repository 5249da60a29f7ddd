"""``immure respond blast-radius`` and ``immure retention`` as a person uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

from detections.turning import made
from immure.cli.main import run as run_immure
from immure.custody.generate import generate
from immure.registry.opening import open_store
from immure.response.incident import Incident
from immure.response.notification.radius_in_force import radius_in_force
from immure.response.report.formats import read_schema

DAY = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-01T07:00:00Z")
LEDGER = ("--issued", "day/segments", "--log", "day/log", "--log-key", "day/log.vkey")


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("day")
    made("stolen-key", 1, place / "day", tokens=60)
    return place / "day"


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: Path
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMMURE_INCIDENT_KEY", "file:incident.key")
    monkeypatch.setenv("IMMURE_ACTOR", "ann")
    generate("incident.key")
    Path("day").symlink_to(day)

    def run(*arguments: str) -> Result:
        code = run_immure(arguments)
        return Result(code, *capsys.readouterr())

    assert run("respond", "open", "i", "--kind", "forged-token", "--kid", "consumer-1", "-q").code == 0
    return run


def radius(run: Run, *arguments: str) -> Result:
    return run("respond", "blast-radius", "i", "--threads", "1", "-q", *arguments)


def test_a_radius(run: Run) -> None:
    found = radius(run, "--accepted", "day/accepted", "--registry", "day/keys.toml", *LEDGER, *DAY)
    assert found.code == 1
    truth = json.loads(Path("day/truth.json").read_text())
    forged = sum(verdict == "forged" for verdict in truth.values())
    assert found.out.splitlines()[-1].startswith(f"key consumer-1: at least {forged} forged tokens, ")
    status = json.loads(run("respond", "status", "i", "--format", "json").out)
    [fact] = [one for one in status["entries"] if "radius" in one["body"]]
    plain = json.loads(Path("i", fact["body"]["file"]).read_text())
    jsonschema.validate(plain, read_schema())
    assert (plain["version"], plain["tokens"], plain["judged"]) == (fact["body"]["radius"], forged, "ledger")
    again = radius(
        run, "--accepted", "day/accepted", "--registry", "day/keys.toml", *LEDGER, *DAY, "-f", "json"
    )
    assert json.loads(again.out) == plain
    entries = json.loads(run("respond", "status", "i", "--format", "json").out)["entries"]
    assert len(entries) == len(status["entries"])  # it says the same: nothing is written
    other = radius(run, "--accepted", "day/accepted", *DAY, "-f", "html", "-o", "r.html")
    assert (other.code, other.out) == (1, "")
    assert "every token that was accepted under this kid" in Path("r.html").read_text()
    entries = json.loads(run("respond", "status", "i", "--format", "json").out)["entries"]
    assert (entries[-1]["kind"], entries[-1]["corrects"]) == ("correction", fact["sequence"])


def test_without_a_key_nothing_is_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMMURE_INCIDENT_KEY")
    assert radius(run, "--accepted", "day/accepted", "-f", "json").code == 1
    assert not Path("i/work/logs").exists()
    assert len(json.loads(run("respond", "status", "i", "-f", "json").out)["entries"]) == 2


def test_a_state_of_detection(run: Run) -> None:
    assert run("detect", "run", "--accepted", "day/accepted", *LEDGER, "--state", "state", "-q").code == 1
    found = radius(run, "--state", "state", *LEDGER, *DAY, "-f", "json")
    assert json.loads(found.out)["judged"] == "ledger"
    assert json.loads(found.out)["tokens"] > 0


def test_relying_parties(run: Run) -> None:
    probe = {"schema": "https://immure.example/schemas/probe-report-1.json", "verdict": "nothing let in",
             "complete": True, "counts": {"holes": 0}, "trusted": {"keys": []}}  # fmt: skip
    Path("probe.json").write_text(json.dumps(probe))
    Path("keys.json").write_text('{"keys": []}')
    Path("policy.toml").write_text(
        'version = 1\n[sources.s]\nfile = "keys.json"\n[issuers."https://login.example/consumer"]\n'
        'source = "s"\naudience_class = "consumer"\n[audiences]\n"https://outlook.example" = ["consumer"]\n'
    )
    Path("tenants.txt").write_text("contoso\n\nfabrikam\n")
    found = radius(
        run, "--accepted", "day/accepted", "--registry", "day/keys.toml", *LEDGER, *DAY, "-f", "json",
        "--relying-party", "files=https://files.example", "--probed", "files=probe.json",
        "--policy", "outlook=policy.toml", "--relying-party", "unheard-of", "--tenants", "tenants.txt",
    )  # fmt: skip
    plain = json.loads(found.out)
    said = {one["name"]: one["would_accept"] for one in plain["relying_parties"]}
    assert said == {"mail": "yes", "files": "no", "outlook": "yes", "unheard-of": "unknown"}
    standing = {one["tenant"]: bool(one["unknown"]) for one in plain["tenants"]}
    assert standing["contoso"]
    assert standing["fabrikam"]


def test_nothing_seen(run: Run) -> None:
    """Whole logs that show nothing are an answer; logs that are not whole are none."""
    none = ("--kid", "another", "--accepted", "day/accepted")
    whole = radius(run, *none, "--from", "2026-11-01T01:00:00Z", "--to", "2026-11-01T02:00:00Z")
    assert (whole.code, whole.out.splitlines()[-1]) == (0, "key another reached nobody")
    assert radius(run, *none, "--from", "2026-10-01", "--to", "2026-12-01").code == 3


def test_a_key_that_was_found_by_its_thumbprint(run: Run) -> None:
    """What tokens call it is in the registry; without one it is not asked for by a name that no log has."""
    with open_store("day/keys.toml") as store:
        [record] = [one for one in store.records() if one.kid == "consumer-1"]
    finding = ("--kind", "key-in-dump", "--kid", record.thumbprint, "-q")
    assert run("respond", "open", "t", *finding).code == 0
    asked = ("respond", "blast-radius", "t", "--threads", "1", "-q", "--accepted", "day/accepted", *DAY)
    alone = run(*asked)
    assert (alone.code, len(alone.err.splitlines())) == (2, 1)
    assert f"looks like a thumbprint, which no log has: {record.thumbprint}" in alone.err
    assert not list(Path("t/work").glob("radius-*"))
    assert run(*asked, "--kid", record.thumbprint).code in (0, 3)  # somebody says that it is the kid
    found = run(*asked, "--registry", "day/keys.toml", "-f", "json")
    assert found.code == 1
    assert json.loads(found.out)["kid"] == "consumer-1"
    force = radius_in_force(Incident.load(Path("t")))
    assert force.radius.version == json.loads(found.out)["version"]
    assert force.entry.kind == "correction"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to look at"),
        (("--accepted", "nowhere"), "nowhere: is not there"),
        (("--accepted", "day/accepted", "--state", "s"), "--state is read as it is"),
        (("--accepted", "day/accepted", "--log", "x"), "--log needs --issued"),
        (("--accepted", "day/accepted", "--issued", "x"), "needs --log and --log-key, or --unsigned"),
        (("--accepted", "day/accepted", "--issued", "x", "--log", "y"), "given together"),
        (("--accepted", "day/accepted", "--from", "then"), "--from is a time"),
        (("--accepted", "day/accepted", "--from", "2026-12-01", "--to", "2026-11-01"), "not before --to"),
        (("--accepted", "day/accepted", "--registry", "day/keys.toml", "--kid", "none"), "has no key 'none'"),
        (("--accepted", "day/accepted", "--registry", "none.toml"), "does not exist"),
        (("--accepted", "day/accepted", "--policy", "mail"), "--policy is NAME=FILE"),
        (("--accepted", "day/accepted", "--policy", "mail=none.toml"), "none.toml"),
        (("--accepted", "day/accepted", "--probed", "mail=none.json"), "none.json"),
        (("--accepted", "day/accepted", "--probed", "mail=day/truth.json"), "no report of immure probe"),
        (("--accepted", "day/accepted", "--tenants", "none.txt"), "none.txt"),
        (("--accepted", "day/accepted", "--memory", "lots"), "memory is a number"),
    ],
)
def test_what_cannot_be_asked(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = radius(run, *arguments)
    assert done.code in (2, 3)
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert len(json.loads(run("respond", "status", "i", "-f", "json").out)["entries"]) == 2


def test_retention(run: Run) -> None:
    lives = ("--key-life", "60", "--token-life", "1", "--lag", "365")
    found = run("retention", *lives, "--keeps", "mail=180", "--keeps", "other=426")
    assert found.code == 1
    assert found.out.splitlines() == [
        "needed: 426 days (key life 60, longest token 1, lag 365)",
        "GAP      mail: is kept for 180 days, and 426 are needed",
        "KEPT     other: is kept for 426 days",
    ]
    assert run("retention", *lives, "--keeps", "other=426").code == 0
    looked = run(
        "retention",
        *lives,
        "--log",
        "accepted=day/accepted",
        "--ledger",
        "issued=day/ledger.db",
        "-f",
        "json",
    )
    assert looked.code == 3
    plain = json.loads(looked.out)
    assert {one["name"]: one["verdict"] for one in plain["logs"]} == {
        "accepted": "unknown",
        "issued": "unknown",
    }
    assert all(one["oldest"] for one in plain["logs"])
    gone = run("retention", *lives, "--log", "gone=nowhere", "--keeps", "gone=900")
    assert (gone.code, "log gone: nowhere" in gone.err) == (3, True)


def test_retention_of_a_plan(run: Run) -> None:
    Path("plan.toml").write_text(
        "version = 1\nkey_life_days = 1\ntoken_life_days = 1\nlag_days = 1\n"
        '[logs.accepted]\npath = "day/accepted"\nkeeps_days = 900\n'
    )
    assert run("retention", "plan.toml").code == 0
    assert run("retention", "plan.toml", "--lag", "2000").code == 1  # the longest of what is said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--key-life", "1", "--token-life", "1", "--lag", "1"), "no log is named"),
        ((), "give --key-life"),
        (("--keeps", "mail=1"), "give --key-life"),
        (("--keeps", "mail=1", "--lag", "1"), "give --key-life"),
        (("--keeps", "mail", "--key-life", "1", "--token-life", "1", "--lag", "1"), "not --keeps NAME=DAYS"),
        (("--keeps", "mail=x", "--key-life", "1", "--token-life", "1", "--lag", "1"), "a number of days"),
        (("--keeps", "mail=1", "--signing", "none.toml"), "--signing needs --lag"),
        (("--keeps", "mail=1", "--signing", "none.toml", "--lag", "1"), "none.toml"),
        (("none.toml",), "none.toml"),
    ],
)
def test_retention_that_cannot_be_asked(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run("retention", *arguments)
    assert done.code == 2
    assert words in done.err
