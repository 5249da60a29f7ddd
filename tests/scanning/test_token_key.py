"""The key of a known token, found among the bytes of an image."""

from __future__ import annotations

import base64
import contextlib
import json
import random

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import ImmureError, InputError
from immure.scanning import token_key
from immure.scanning.finding import ImageReport
from immure.scanning.hmac_token import HmacToken, parse_token

from .material import filler, planted, scan

CHANCE = random.Random("tokens")
KEY = CHANCE.randbytes(32)


def token(key: bytes | str, algorithm: str = "HS256", **header: str) -> HmacToken:
    """Made by PyJWT, which is not ours."""
    made = jwt.encode({"iss": "https://a.example", "sub": "s"}, key, algorithm, headers=header)
    return parse_token(made.encode(), "t.jwt")


def search(memory: bytes, sought: HmacToken, **options: object) -> ImageReport:
    return scan(memory, token=sought, **{"harvest": False, "detectors": ("rsa",)} | options)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("width", [32, 48, 64])
@pytest.mark.parametrize("memory", ["zeros", "ordinary", "text"])
def test_a_key_of_bytes_is_found(algorithm: str, width: int, memory: str) -> None:
    key = random.Random(width).randbytes(width)
    report = search(planted(key, 4096, name=memory), token(key, algorithm, kid="k7"))
    (finding,) = report.findings
    assert finding.proof == f"the token's {algorithm} code holds under these {width} bytes"
    assert (finding.kind, finding.key.origin.kid, finding.key.kty) == ("token", "k7", "oct")
    (place,) = finding.occurrences
    assert (place.offset, place.length, place.whole) == (4096, width, True)
    assert key.hex() not in repr(report)


def test_a_key_that_is_text_is_found() -> None:
    key = b"MySharedSecret-for-2026!-and-more"
    (finding,) = search(planted(key, 4096), token(key)).findings
    assert finding.key.origin.kid == f"of the token {finding.key.thumbprint[:12]}"
    assert finding.occurrences[0].length == len(key)


def test_one_copy_leads_to_the_others() -> None:
    image = planted(KEY, 4096)
    image[9001 : 9001 + 64] = KEY.hex().encode()
    image[12003 : 12003 + 20] = KEY[5:25]
    (finding,) = search(image, token(KEY)).findings
    found = [(one.offset, one.length, one.whole) for one in finding.occurrences]
    assert found == [(4096, 32, True), (9001, 64, True), (12003, 20, False)]


@pytest.mark.parametrize("chunk_bytes", [4096, 1 << 20])
@pytest.mark.parametrize("threads", [1, 2])
def test_borders_of_chunks(chunk_bytes: int, threads: int) -> None:
    image = planted(KEY, 4096 - 8, name="ordinary")
    (finding,) = search(image, token(KEY), chunk_bytes=chunk_bytes, threads=threads).findings
    assert [one.offset for one in finding.occurrences] == [4096 - 8]


@pytest.mark.parametrize("name", ["zeros", "random", "text", "ordinary"])
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    assert search(filler(name, 64 << 10), token(KEY)).findings == []


def test_what_was_not_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_key, "MOST_TRIED", 50)
    report = search(filler("random", 64 << 10), token(KEY), chunk_bytes=1 << 15)
    gaps = [gap for gap in report.not_searched if gap.detector == "token"]
    assert len(gaps) == 2
    assert gaps[0].reason.startswith("quick mode: 50 keys of one chunk were tried")
    assert all(gap.length < 1 << 15 for gap in gaps)
    report = search(filler("random", 16 << 10), token(KEY), mode="exhaustive")
    assert [gap for gap in report.not_searched if gap.detector == "token"] == []


def test_exhaustive_mode_tries_what_does_not_look_random() -> None:
    key = (b"\x11\x22\x33\x44\x55\x66\x77\x88" * 3 + KEY)[:32]
    assert search(planted(key, 4096), token(key)).findings == []
    assert len(search(planted(key, 4096), token(key), mode="exhaustive").findings) == 1


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def compact(header: object, code: bytes = bytes(32)) -> bytes:
    return b".".join((b64(json.dumps(header).encode()), b64(b"{}"), b64(code)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no token in compact form"),
        (b"a.b", "no token in compact form"),
        (b"a.b.c.d.e", "no token in compact form"),
        (b"x" * 70_000, "no token in compact form"),
        (b"a.b.c", "its header is not JSON"),
        (b"\xff.\xff.\xff", "its header is not JSON"),
        (compact(5), "not signed by a symmetric key"),
        (compact({}), "not signed by a symmetric key"),
        (compact({"alg": "RS256"}), "not signed by a symmetric key"),
        (compact({"alg": "none"}, b""), "not signed by a symmetric key"),
        (compact({"alg": ["HS256"]}), "not signed by a symmetric key"),
        (compact({"alg": "HS256"}, bytes(31)), "its signature has 31 bytes"),
        (compact({"alg": "HS512"}, bytes(32)), "its signature has 32 bytes"),
    ],
)
def test_what_is_no_token(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_token(data, "f")


def test_blanks_around_a_token_are_left_out() -> None:
    assert parse_token(b"\n " + compact({"alg": "HS256", "kid": 5}) + b"\r\n", "f").kid is None


@given(st.binary(max_size=400))
def test_any_bytes_are_a_token_or_refused(data: bytes) -> None:
    for candidate in (data, b".".join((b64(data), b"", b64(bytes(32))))):
        with contextlib.suppress(ImmureError):
            parse_token(candidate, "f")
