"""Key databases that NSS made: open without a password, and closed with one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from immure.watching.containers import nss

from .making import look, make_old, places, write_tree

needs_certutil = pytest.mark.skipif(
    shutil.which("certutil") is None, reason="NOT TESTED: needs certutil (package libnss3-tools)"
)


def database(top: Path, password: str = "") -> Path:
    """A database with an RSA key and a key on P-256; and the certificates, beside it, away."""
    write_tree(top, {"p": f"{password}\n".encode(), "noise": os.urandom(64)})
    where = ("-d", f"sql:{top}", "-f", "p")
    subprocess.run(["certutil", "-N", *where], cwd=top, check=True, capture_output=True)
    for name, kind in (("r", ("rsa", "-g", "2048")), ("e", ("ec", "-q", "nistp256"))):
        command = ["certutil", "-S", *where, "-n", name, "-s", f"CN={name}", "-x", "-t", ",,", "-k", *kind]
        subprocess.run([*command, "-z", "noise"], cwd=top, check=True, capture_output=True)
    kept = top.parent / "kept"
    kept.mkdir(exist_ok=True)
    shutil.move(top / "key4.db", kept / "key4.db")
    make_old(kept / "key4.db")
    return kept / "key4.db"


@needs_certutil
def test_a_database_without_a_password(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    path = database(tmp_path / "db")
    result = look(path.parent)
    assert result.complete
    assert {next(iter(paths)).split("!")[0] for paths in places(result).values()} == {"key4.db"}
    assert sorted(finding.key.label for finding in result.findings) == ["P-256", "RSA-2048"]


@needs_certutil
def test_a_database_with_a_password_that_everybody_knows(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    path = database(tmp_path / "db", "changeit")
    assert sorted(finding.key.label for finding in look(path.parent).findings) == ["P-256", "RSA-2048"]


@needs_certutil
def test_a_database_with_a_password(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    path = database(tmp_path / "db", "correct horse")
    result = look(path.parent)
    assert result.complete
    assert not result.findings


@needs_certutil
def test_a_database_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    path = database(tmp_path / "db")
    whole = path.read_bytes()
    for number, broken in enumerate(
        (whole[:20_000], whole[:4096], whole[:8192] + os.urandom(len(whole) - 8192))
    ):
        write_tree(tmp_path / f"t{number}", {"key4.db": broken})
        look(tmp_path / f"t{number}")


@pytest.mark.parametrize("data", [nss.MAGIC + b"nssPrivate", nss.MAGIC + b"\0" * 600 + b"nssPrivate"])
def test_what_only_begins_like_one(tmp_path: Path, data: bytes) -> None:
    """SQLite was asked to take no bytes at all, found by fuzzing."""
    write_tree(tmp_path, {"key4.db": data})
    assert not look(tmp_path).complete


def test_a_schema_that_is_no_text(tmp_path: Path) -> None:
    """SQLite's message about it cannot be decoded, found by fuzzing."""
    made = sqlite3.connect(":memory:")
    made.execute("CREATE TABLE nssPrivate (id, padding)")
    whole = made.serialize()
    for at in range(20):
        broken = bytearray(whole)
        place = broken.index(b"CREATE TABLE nssPrivate") + at
        broken[place] = 0xFF
        write_tree(tmp_path / f"{at}", {"key4.db": bytes(broken)})
        assert not look(tmp_path / f"{at}").complete


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE nssPrivate (id)"],
        ["CREATE TABLE nssPrivate (id)", "CREATE TABLE metaData (id, item1, item2)",
         "INSERT INTO metaData VALUES ('password', 'text', 5)"],
        ["CREATE TABLE nssPrivate (id)", "CREATE TABLE metaData (id, item1, item2)",
         "INSERT INTO metaData VALUES ('password', x'00', x'3000')"],
        ["CREATE TABLE metaData (id, item1, item2)", "CREATE VIEW nssPrivate AS WITH RECURSIVE r(x) AS"
         " (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r"],
        ["CREATE TABLE nssPrivate (id)", "CREATE VIEW metaData AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL"
         " SELECT x + 1 FROM r) SELECT 'no' AS id, x AS item1, x AS item2 FROM r"],
    ],
)  # fmt: skip
def test_databases_that_lie(tmp_path: Path, statements: list[str]) -> None:
    (tmp_path / "t").mkdir()
    made = sqlite3.connect(tmp_path / "t" / "key4.db")
    for statement in statements:
        made.execute(statement)
    made.commit()
    made.close()
    assert nss.detect((tmp_path / "t" / "key4.db").read_bytes()[:4096])
    result = look(tmp_path / "t")
    assert not result.complete
    assert "key database cannot be read" in result.runs[0].troubles[0].reason
