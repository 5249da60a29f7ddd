"""Timestamps: asked of a real authority, and held against everything that can be wrong with them."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import UsageError
from immure.response.errors import TimestampError
from immure.response.timestamp import MOST_ANSWER, check_stamp, fetch_stamp, query, read_roots
from response.tsa import Tsa

DIGEST = hashlib.sha256(b"evidence").digest()


@pytest.fixture
def authority(tsa: Tsa) -> Iterator[Tsa]:
    yield tsa
    tsa.status, tsa.spoiled = 200, None


def test_a_timestamp(authority: Tsa, tmp_path: Path) -> None:
    answer, stamp = fetch_stamp(authority.url, DIGEST, roots=read_roots([authority.ca]))
    assert abs((stamp.at - datetime.now(UTC)).total_seconds()) < 60
    assert stamp.trusted
    assert check_stamp(answer, DIGEST, roots=read_roots([authority.other_ca, authority.ca])) == stamp
    assert not check_stamp(answer, DIGEST).trusted
    (tmp_path / "evidence").write_bytes(b"evidence")
    (tmp_path / "answer").write_bytes(answer)
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", tmp_path / "evidence", "-in", tmp_path / "answer", "-CAfile",
         authority.ca],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_timestamp_that_does_not_hold(authority: Tsa) -> None:
    answer, _ = fetch_stamp(authority.url, DIGEST)
    own, other = read_roots([authority.ca]), read_roots([authority.other_ca])
    with pytest.raises(TimestampError, match="not signed under a trusted certificate"):
        check_stamp(answer, DIGEST, roots=other)
    with pytest.raises(TimestampError, match="about another digest"):
        check_stamp(answer, bytes(32), roots=own)
    with pytest.raises(TimestampError, match="another nonce"):
        check_stamp(answer, DIGEST, nonce=1)
    with pytest.raises(TimestampError, match="not signed under a trusted certificate"):
        fetch_stamp(authority.url, DIGEST, roots=other)
    with pytest.raises(TimestampError, match=f"more than {MOST_ANSWER:,}"):
        check_stamp(answer + bytes(MOST_ANSWER), DIGEST)


def test_every_byte_of_it_counts(authority: Tsa) -> None:
    """A bit changed anywhere, and it does not hold, or says the same: the authority's own certificate, which
    comes along, is not needed by who has it."""
    roots = read_roots([authority.ca])
    answer, stamp = fetch_stamp(authority.url, DIGEST, roots=roots)
    survived = []
    for place in range(0, len(answer), 3):
        changed = bytearray(answer)
        changed[place] ^= 1
        try:
            if check_stamp(bytes(changed), DIGEST, roots=roots) != stamp:
                survived.append(place)
        except TimestampError:
            continue
    assert survived == []


def test_a_certificate_of_no_known_version(authority: Tsa) -> None:
    """Found by fuzzing: the library under it has errors of its own for this."""
    answer, _ = fetch_stamp(authority.url, DIGEST)
    third = bytes.fromhex("a003020102")
    assert third in answer
    changed = answer.replace(third, third[:-1] + b"\x06")
    with pytest.raises(TimestampError):
        check_stamp(changed, DIGEST, roots=read_roots([authority.ca]))


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (500, None, "answered with 500"),
        (302, None, "answered with 302"),
        (200, b"", "no timestamp that holds"),
        (200, b"junk", "no timestamp that holds"),
        (200, bytes.fromhex("30053003020102"), "the authority says no: status 2"),
        (200, bytes.fromhex("30053003020100"), "no timestamp that holds"),
        (200, bytes(MOST_ANSWER + 2), "more than"),
    ],
)
def test_an_authority_that_does_not_answer(
    authority: Tsa, status: int, answer: bytes | None, words: str
) -> None:
    authority.status, authority.spoiled = status, answer
    with pytest.raises(TimestampError, match=words):
        fetch_stamp(authority.url, DIGEST)


def test_an_answer_to_another_question(authority: Tsa) -> None:
    authority.spoiled, _ = fetch_stamp(authority.url, DIGEST)
    with pytest.raises(TimestampError, match="another nonce"):
        fetch_stamp(authority.url, DIGEST)


@pytest.mark.parametrize("url", ["ftp://tsa", "tsa", "http://a:b@tsa", "http://[", "http://tsa\u00e9"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(UsageError):
        fetch_stamp(url, DIGEST)


def test_nobody_there() -> None:
    with pytest.raises(TimestampError, match="no answer"):
        fetch_stamp("http://127.0.0.1:9", DIGEST)


def test_roots(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("nothing")
    for path in (tmp_path / "a.pem", tmp_path / "none.pem"):
        with pytest.raises(UsageError):
            read_roots([path])


@given(st.integers(0, (1 << 63) - 1))
@settings(max_examples=50, deadline=None)
def test_queries(nonce: int) -> None:
    made = query(DIGEST, nonce=nonce)
    assert made[1] == len(made) - 2
    assert made.endswith(b"\x01\x01\xff")
    assert nonce.to_bytes(8, "big").lstrip(b"\0") in made


def test_a_query_as_openssl_reads_it(tmp_path: Path) -> None:
    for nonce in (256, 1 << 31, 1 << 32, (1 << 63) - 1):
        (tmp_path / "query").write_bytes(query(DIGEST, nonce=nonce))
        shown = subprocess.run(["openssl", "ts", "-query", "-in", tmp_path / "query", "-text"],
                               capture_output=True, text=True, check=True, timeout=30).stdout  # fmt: skip
        assert int(shown.partition("Nonce: ")[2].split()[0], 16) == nonce
        assert "Certificate required: yes" in shown


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_foreign_bytes(data: bytes) -> None:
    with pytest.raises(TimestampError):
        check_stamp(data, DIGEST)


def test_big_evidence_is_not_read_into_memory(tmp_path: Path) -> None:
    """The query is made of a digest: its length does not depend on what was hashed."""
    assert len(query(os.urandom(32), nonce=1)) == len(query(DIGEST, nonce=2)) < 100


@contextmanager
def dripping(answer: bytes, pause: float) -> Iterator[int]:
    """A server that takes a connection, and gives its answer byte by byte; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with server.accept()[0] as connection, suppress(OSError):
                for byte in answer:
                    connection.sendall(bytes([byte]))
                    time.sleep(pause)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(5)


def test_an_authority_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short each wait is: all together an answer may take so long and no longer."""
    monkeypatch.setattr("immure.response.timestamp.SECONDS", 0.4)
    with dripping(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200, 0.02) as port:
        begun = time.monotonic()
        with pytest.raises(TimestampError, match=r"no answer: no answer within 0\.4 s"):
            fetch_stamp(f"http://127.0.0.1:{port}/tsr", DIGEST)
        assert time.monotonic() - begun < 3


def test_an_authority_is_asked_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most are: their answers are signed. No query with a secret in it comes into an error."""
    asked: list[str] = []

    def nobody(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror("unknown")

    monkeypatch.setattr("socket.getaddrinfo", nobody)
    for scheme in ("http", "HTTP", "https"):
        with pytest.raises(TimestampError, match="its host name cannot be resolved") as raised:
            fetch_stamp(f"{scheme}://tsa.example/tsr?key=hunter2", DIGEST)
        assert "hunter2" not in str(raised.value)
    assert asked == ["tsa.example"] * 3
