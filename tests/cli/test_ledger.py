"""``immure ledger`` as a person uses it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from immure.cli.main import run as run_immure
from immure.custody.generate import generate
from immure.digest import signed_digest
from immure.ledger.sqlite_store import SqliteLedger
from ledger.making import row
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
    now = int(time.time())
    with SqliteLedger(place) as store:
        rows = [
            row(digest=digest_of(token), issuer=ISSUER, issued_at=now - ago, expires=now + 60)
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
    now = int(time.time())
    issued, forged, fresh = (
        Mint().token(iss=ISSUER, iat=now - ago, exp=now + 600, jti=str(ago)) for ago in (60, 61, 0)
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


def test_prune(run: Run, place: Path) -> None:
    record(place, Mint().token())
    seal(run)
    assert "up to 0" in run("prune", "ledger.db", "--keep", "1", "--dry-run").stdout
    assert "0 rows are gone" in run("prune", "ledger.db", "--keep", "1").stdout
    assert "1 rows are gone" in run("prune", "ledger.db", "--keep", "0").stdout
    assert "1 of them were pruned" in run(*VERIFY).stdout


def test_retention(run: Run) -> None:
    arguments = ("retention", "--key-life", "60", "--token-life", "1", "--lag", "365")
    assert run(*arguments).stdout == "keep rows for 426 days\n"
    assert json.loads(run(*arguments, "-f", "json").stdout) == {"days": 426}


FAILURES = [
    (("status", "no/such.db"), 3),
    (("find", "ledger.db", "no/such.jwt"), 2),
    (("seal", "ledger.db", "--log", "nowhere", "--key", "file:log.key"), 3),
    (("seal", "ledger.db", "--log", "log", "--key", "file:nowhere"), 3),
    (("verify", "ledger.db", "--log", "nowhere", "--log-key", "log.vkey"), 3),
    (("verify", "ledger.db", "--log", "log", "--log-key", "nowhere"), 2),
    (("init", "ledger.db", "--log", "log", "--origin", "x", "--key", "file:log.key"), 3),
    (("retention", "--key-life", "-1", "--token-life", "1", "--lag", "1"), 2),
]


@pytest.mark.parametrize(("arguments", "code"), FAILURES)
def test_failures(run: Run, place: Path, arguments: tuple[str, ...], code: int) -> None:
    made = run(*arguments)
    assert made.exit_code == code, made.output
    assert made.stderr
