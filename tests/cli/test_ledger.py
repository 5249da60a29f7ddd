"""``immure ledger`` as a person uses it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from immure.auditlog.cosignature import CosignatureKey
from immure.auditlog.note import parse_vkey
from immure.cli.main import run as run_immure
from immure.clock import now
from immure.custody.generate import generate
from immure.digest import signed_digest
from immure.ledger.sqlite_store import SqliteLedger
from immure.signing.settings_file import read_settings
from ledger.making import row
from ledger.witnessing import witness
from tokens.minting import Mint

KEY = ("--key", "file:log.key")
ISSUER = "https://login.example/consumer"


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Result:
        code = run_immure(["ledger", *arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    generate("log.key")
    made = run(
        "init", "ledger.db", "--log", "log", "--origin", "login.example/ledger", "--key", "file:log.key"
    )
    assert made.exit_code == 0
    Path("log.vkey").write_text(made.stdout.split(": ", 1)[1])
    return tmp_path / "ledger.db"


def digest_of(token: str) -> bytes:
    return signed_digest(token.rpartition(".")[0].encode())


def record(place: Path, *tokens: str, ago: int = 60) -> None:
    at = int(time.time())
    with SqliteLedger(place) as store:
        rows = [
            row(digest=digest_of(token), issuer=ISSUER, issued_at=at - ago, expires=at + 60)
            for token in tokens
        ]
        assert all(isinstance(one, int) for one in store.append(rows))


def seal(run: Run) -> Result:
    return run("seal", "ledger.db", "--log", "log", *KEY)


VERIFY = ("verify", "ledger.db", "--log", "log", "--log-key", "log.vkey")


def test_issued_sealed_verified(run: Run, place: Path) -> None:
    record(place, Mint().token(jti="1"), Mint().token(jti="2"))
    assert "2 rows" in seal(run).stdout
    made = run(*VERIFY)
    assert made.exit_code == 0
    assert "2 rows in 1 batches are as they were written down" in made.stdout
    plain = json.loads(run(*VERIFY, "-f", "json").stdout)
    assert plain["verified"] is True
    assert plain["issuers"][0]["rows"] == 2
    assert run(*VERIFY, "-q").stdout == ""
    assert "tokens     2, of which 2 are in 1 batches" in run("status", "ledger.db").stdout
    assert json.loads(run("status", "ledger.db", "-f", "json").stdout)["issuers"][0]["closed"] == 2


def test_altered(run: Run, place: Path) -> None:
    record(place, Mint().token())
    seal(run)
    database = sqlite3.connect(place)
    database.execute("DROP TRIGGER tokens_stay")
    database.execute("UPDATE tokens SET sub = 'eve'")
    database.commit()
    database.close()
    made = run(*VERIFY)
    assert made.exit_code == 1
    assert "ALTERED" in made.stderr
    plain = json.loads(run(*VERIFY, "-f", "json").stdout)
    assert plain["verified"] is False


def test_an_exported_segment_that_was_altered(run: Run, place: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed")
    record(place, Mint().token())
    seal(run)
    assert "rows 1 to 1" in run("export", "ledger.db", "--to", "segments").stdout
    assert "1 segments are as they were written" in run(*VERIFY, "--segments", "segments").stdout
    (path,) = Path("segments").glob("*/*.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    assert run(*VERIFY, "--segments", "segments").exit_code == 1


def test_was_it_issued(run: Run, place: Path) -> None:
    second = int(time.time())
    issued, forged, fresh = (
        Mint().token(iss=ISSUER, iat=second - ago, exp=second + 600, jti=str(ago)) for ago in (60, 61, 0)
    )
    for name, token in (("issued", issued), ("forged", forged), ("fresh", fresh)):
        Path(f"{name}.jwt").write_text(token + "\n")
    record(place, issued)
    seal(run)
    made = run("find", "ledger.db", "issued.jwt")
    assert (made.exit_code, "issued\n" in made.stdout) == (0, True)
    digest = digest_of(issued).hex()
    assert run("find", "ledger.db", digest).exit_code == 0
    plain = json.loads(run("find", "ledger.db", "issued.jwt", "-f", "json").stdout)
    assert (plain["verdict"], plain["digest"], plain["rows"][0][0]) == ("issued", digest, 1)
    made = run("find", "ledger.db", "forged.jwt")
    assert (made.exit_code, "NEVER ISSUED" in made.stdout) == (1, True)
    made = run("find", "ledger.db", "fresh.jwt")
    assert (made.exit_code, "not known yet" in made.stdout) == (1, True)
    assert "not in the ledger" in run("find", "ledger.db", "0" * 32).stdout


def test_the_manifest_of_segments(run: Run, place: Path) -> None:
    """It says what the log says, or verify says that it does not."""
    pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow is not installed")
    record(place, Mint().token())
    seal(run)
    made = json.loads(run("export", "ledger.db", "--to", "segments", "-f", "json").stdout)
    assert [(one["issuer"], one["first"], one["last"]) for one in made["segments"]] == [(ISSUER, 1, 1)]
    assert json.loads(run("export", "ledger.db", "--to", "segments", "-f", "json").stdout) == {"segments": []}
    (path,) = Path("segments").glob("*/ledger.json")
    plain = json.loads(path.read_text())
    watermark = json.loads(run("status", "ledger.db", "-f", "json").stdout)["issuers"][0]["watermark"]
    assert (plain["issuer"], plain["last"], plain["watermark"]) == (ISSUER, 1, watermark)
    assert run(*VERIFY, "--segments", "segments").exit_code == 0
    for change, words in (
        ({"watermark": watermark + 1}, "than the log"),
        ({"entry": 7}, "than the log"),
        ({"last": 9}, "more segments than there are"),
        ({"gaps": [{"from": 1, "to": 2, "first": 1, "last": 0, "reason": "x"}]}, "does not declare"),
        ({"version": 2}, "is not the manifest"),
    ):
        path.write_text(json.dumps({**plain, **change}))
        made = run(*VERIFY, "--segments", "segments")
        assert (made.exit_code, words in made.stderr) == (1, True), made.stderr


def test_sealed_as_json(run: Run, place: Path) -> None:
    record(place, Mint().token())
    (batch,) = json.loads(run("seal", "ledger.db", "--log", "log", *KEY, "-f", "json").stdout)["batches"]
    assert (batch["issuer"], batch["first"], batch["last"], batch["entry"]) == (ISSUER, 1, 1, 0)


def test_witnessed(run: Run, place: Path, tmp_path: Path) -> None:
    """Sealed with a witness, verified with its key; then the witness is down; then the log is rewritten."""
    pytest.importorskip("uvicorn", reason="NOT TESTED: uvicorn is not installed")
    record(place, Mint().token())
    log_key = parse_vkey(Path("log.vkey").read_text().strip())
    with witness(tmp_path / "w", log_key) as running:
        Path("witnesses").write_text(f"# ours\n{running.line}\n")
        seals = ("seal", "ledger.db", "--log", "log", *KEY, "--witness", "witnesses")
        made = run(*seals)
        assert (made.exit_code, "1 of 1 witnesses have signed 1 entries" in made.stderr) == (0, True)
        key = running.place.key.to_vkey()
        checks = (*VERIFY, "--witness", key, "--witnessed-within", "600")
        assert "1 of 1 entries of the log were seen by 1 witnesses" in run(*checks).stdout
        plain = json.loads(run(*VERIFY, "--witness", "witnesses", "-f", "json").stdout)
        assert plain["witnessed"] == {
            "size": 1,
            "by": {"witness.example": plain["witnessed"]["by"]["witness.example"]},
        }
        assert plain["asked"] == "witnessed"
        assert run(*VERIFY, "--witness", key, "--witness-quorum", "2").exit_code == 2
        assert run(*VERIFY, "--witnessed-within", "9").exit_code == 2

        running.kill()
        record(place, Mint().token(jti="2"), ago=0)
        made = run(*seals)
        assert (made.exit_code, "NOT WITNESSED: 0 of 1" in made.stderr) == (3, True)
        record(place, Mint().token(jti="3"), ago=0)
        state = json.loads(run(*seals, "-f", "json").stdout)["witnesses"]
        assert (state["state"], state["witnesses"][0]["kind"]) == ("not-witnessed", "unreachable")
        assert run(*checks).exit_code == 0  # what it signed before is still there
        stranger = CosignatureKey("other.example", bytes(32)).to_vkey()
        assert run(*VERIFY, "--witness", stranger).exit_code == 1

        running.start()
        shutil.rmtree("log")
        Path("ledger.db").unlink()
        for left in Path().glob("ledger.db-*"):
            left.unlink()
        run("init", "ledger.db", "--log", "log", "--origin", "login.example/ledger", *KEY)
        record(place, Mint().token(sub="eve"))
        made = run(*seals)
        assert (made.exit_code, "rewritten" in made.stderr) == (1, True)
        assert run(*VERIFY, "--witness", key).exit_code in (1, 3)  # no checkpoint that it signed


LIVES = ("--key-life", "1", "--token-life", "0", "--lag", "0")


def test_prune(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(place, Mint().token(jti="old"))
    seal(run)
    arguments = ("prune", "ledger.db", *LIVES)
    assert "rows up to 0 would go" in run(*arguments, "--dry-run").stdout
    assert "0 rows are gone" in run(*arguments).stdout
    assert "0 of them were pruned" in run(*VERIFY).stdout
    later = now() + timedelta(days=2)
    monkeypatch.setattr("immure.clock.now", lambda: later)
    assert "rows up to 1 would go" in run(*arguments, "--dry-run").stdout
    assert "rows up to 0 would go" in run(*arguments, "--dry-run", "--keep", "3").stdout
    assert "rows up to 0 would go" in run(*arguments, "--dry-run", "--segments", "none").stdout
    (made,) = json.loads(run(*arguments, "-f", "json").stdout)["issuers"]
    assert (made["issuer"], made["last"], made["rows"], made["dry_run"]) == (ISSUER, 1, 1, False)
    assert "1 of them were pruned" in run(*VERIFY).stdout


def test_prune_refuses_what_is_needed(run: Run, place: Path) -> None:
    """The longest token that is in the ledger counts, whatever a person says of tokens."""
    at = int(time.time())
    with SqliteLedger(place) as store:
        store.append([row(issuer=ISSUER, issued_at=at - 10 * 86400, expires=at - 7 * 86400)])
    seal(run)
    refused = run("prune", "ledger.db", *LIVES, "--keep", "3.9")
    assert refused.exit_code == 2
    assert "rows are needed for 4 days (key life 1, longest token 3, lag 0 days)" in refused.stderr
    assert run("prune", "ledger.db", "--lag", "3").exit_code == 2  # nobody says how long keys live
    assert json.loads(run("status", "ledger.db", "-f", "json").stdout)["issuers"][0]["forgotten"] == 0


def test_prune_with_the_settings_of_the_service(run: Run, place: Path) -> None:
    """Key and token lives are read off the settings: announced, signing, published a while longer."""
    Path("signing.toml").write_text(SETTINGS)
    said = json.loads(run("retention", "--config", "signing.toml", "--lag", "100", "-f", "json").stdout)
    plan = read_settings("signing.toml").issuers["consumer"].plan
    key_life = (plan.announce + plan.lifetime + plan.overlap) / timedelta(days=1)
    assert said["days"] == pytest.approx(key_life + 1 / 24 + 100)
    assert said["issuers"][0]["issuer"] == ISSUER
    assert said["issuers"][0]["key_life_days"] == key_life > 30
    record(place, Mint().token())
    seal(run)
    refused = run("prune", "ledger.db", "--config", "signing.toml", "--lag", "100", "--keep", "131")
    assert (refused.exit_code, "--keep 131: rows are needed for" in refused.stderr) == (2, True)
    assert "0 rows are gone" in run("prune", "ledger.db", "--config", "signing.toml", "--lag", "100").stdout


def test_retention(run: Run, place: Path) -> None:
    arguments = ("retention", "--key-life", "60", "--token-life", "1", "--lag", "365")
    assert run(*arguments).stdout == "keep rows for 426 days\n"
    assert json.loads(run(*arguments, "-f", "json").stdout)["days"] == 426
    at = int(time.time())
    with SqliteLedger(place) as store:
        store.append([row(issuer=ISSUER, issued_at=at, expires=at + 5 * 86400)])
    made = run("retention", "--key-life", "60", "--lag", "365", "--ledger", "ledger.db").stdout
    assert made == f"{ISSUER}: key life 60, longest token 5, lag 365 days\nkeep rows for 430 days\n"


SETTINGS = f"""
version = 1
registry = "keys.db"
state = "state.db"
custody = "file+unsafe:private"
[ledger]
place = "ledger.db"
[issuers.consumer]
url = "{ISSUER}"
audience_classes = ["consumer"]
keys.algorithm = "ES256"
[audiences."https://mail.example"]
class = "consumer"
scopes = ["mail.read"]
"""


FAILURES = [
    (("status", "no/such.db"), 3),
    (("find", "ledger.db", "no/such.jwt"), 2),
    (("seal", "ledger.db", "--log", "nowhere", "--key", "file:log.key"), 3),
    (("seal", "ledger.db", "--log", "log", "--key", "file:nowhere"), 3),
    (("verify", "ledger.db", "--log", "nowhere", "--log-key", "log.vkey"), 3),
    (("verify", "ledger.db", "--log", "log", "--log-key", "nowhere"), 2),
    (("init", "ledger.db", "--log", "log", "--origin", "x", "--key", "file:log.key"), 3),
    (("retention", "--lag", "1"), 2),
    (("retention", "--lag", "1", "--key-life", "3"), 2),
    (("retention", "--config", "nowhere", "--lag", "1"), 2),
    (("retention", "--key-life", "-1", "--token-life", "1", "--lag", "1"), 2),
]


@pytest.mark.parametrize(("arguments", "code"), FAILURES)
def test_failures(run: Run, place: Path, arguments: tuple[str, ...], code: int) -> None:
    made = run(*arguments)
    assert made.exit_code == code, made.output
    assert made.stderr
