"""Sketches: what is made of a secret, what is refused, and files that are none."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import ImmureError, InputError, LimitError, UsageError
from immure.keymaterial import sketch_file
from immure.keymaterial.sketch import (
    KINDS,
    SALT_BYTES,
    WINDOW,
    Sketch,
    salted_block,
    to_bytes,
    whole_digest,
    window_digests,
)
from immure.keymaterial.sketch_file import parse_sketch, read_sketch, write_sketch
from immure.keymaterial.sketch_guess import LEAST_BITS, guess_bits
from immure.keymaterial.sketch_make import behind_text, known_beginning, least_bits, sketch_of
from immure.keymaterial.sketch_sources import read_list, read_secrets

CHANCE = random.Random(20)
KEY = CHANCE.randbytes(32)
SALT = bytes(range(SALT_BYTES))


def text(alphabet: str, length: int, seed: int = 0) -> bytes:
    return "".join(random.Random(seed).choices(alphabet, k=length)).encode()


def turned(data: bytes) -> bytes:
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def xored(data: bytes, mask: int) -> bytes:
    return bytes(byte ^ mask for byte in data)


def test_a_digest_is_what_the_documentation_says() -> None:
    """SHA-256 over label, salt, zeros up to a block, and the window; the first eight bytes."""
    block = b"immure-sketch-1\0" + SALT + bytes(16)
    assert salted_block(SALT) == block
    assert window_digests(SALT, KEY)[3] == int.from_bytes(
        hashlib.sha256(block + KEY[3:19]).digest()[:8], "big"
    )
    other = b"immure-sketch-w\0" + SALT + bytes(16)
    assert whole_digest(SALT, KEY) == hashlib.sha256(other + KEY).digest()


@pytest.mark.parametrize(
    ("kind", "value", "strings"),
    [
        ("secret", KEY, {"raw": KEY, "be32w": turned(KEY)}),
        ("secret", KEY[:17], {"raw": KEY[:17]}),
        ("aes", KEY[:16], {"raw": KEY[:16], "be32w": turned(KEY[:16])}),
        ("hs256", KEY[:31], {"raw": KEY[:31], "ipad": xored(KEY[:31], 0x36), "opad": xored(KEY[:31], 0x5C)}),
        ("hs256", KEY[:13] * 5 + KEY, {"raw": KEY[:13] * 5 + KEY}),  # hashed first: longer than a block
        ("token", KEY[:18].hex().encode(), {"hex": KEY[:18]}),
        ("token", KEY[:18].hex().upper().encode(), {"hex": KEY[:18]}),
        ("token", base64.urlsafe_b64encode(KEY[:31]).rstrip(b"="), {"base64": KEY[:31]}),
        ("token", base64.b64encode(KEY[:31]), {"base64": KEY[:31]}),
        ("token", b"sk_live_" + base64.urlsafe_b64encode(KEY[:18]), {"base64": KEY[:18]}),
        ("token", b"ghp_" + base64.urlsafe_b64encode(KEY[:27]), {"base64": KEY[:27]}),
        ("token", b"shpat_" + KEY[:18].hex().encode(), {"hex": KEY[:18]}),
        ("password", b"Xk3!9vQz#p7LmW@2r$8Tb", {"text": b"Xk3!9vQz#p7LmW@2r$8Tb"}),
    ],
)  # fmt: skip
def test_what_is_sketched_of_a_secret(kind: str, value: bytes, strings: dict[str, bytes]) -> None:
    (secret,) = sketch_of([("s", kind, value)], salt=SALT, allow_guessable=True).secrets
    assert {one.form for one in secret.strings} == set(strings)
    for one in secret.strings:
        data = strings[one.form]
        assert (one.part, one.length, one.whole) == ("secret", len(data), whole_digest(SALT, data))
        assert list(one.digests()) == window_digests(SALT, data)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "a secret of 0 bytes cannot be sketched: 16 are the least"),
        (b"4711", "a secret of 4 bytes cannot be sketched: 16 are the least"),
        (KEY[:15], "a secret of 15 bytes"),
        (bytes(16 << 10) + b"x", "is longer than 16384 bytes"),
        (bytes(32), "bits at most, 90 are the least"),
        (b"0123456789abcdef" * 2, "bits at most"),
        (b"correct horse battery staple", "bits at most"),
        (b"correct-horse-battery-staple-and-more", "bits at most"),
        (b"Tr0ub4dor&3Tr0ub4dor&3", "bits at most"),
        (b"passwordpassword1234", "bits at most"),
        (b"qwertyuiop1234567890", "bits at most"),
        (b"550e8400-e29b-41d4-a716-446655440000", "bits at most"),
        (KEY[:12].hex().encode(), "bits at most"),  # 24 digits: a window of them has 64 bits
        (b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI" + text(string.ascii_letters, 40), "PEM text"),
        (b"\x30\x2e\x02\x01\x00" + KEY, "is a key as DER"),
        (b"\x30\x82\x04\xa4\x02\x01\x00" + KEY, "is a key as DER"),
        (b"eyJhbGciOiJIUzI1NiJ9." + text(string.ascii_letters + string.digits, 80), "begins with a header"),
        (b'{"token": "' + text(string.ascii_letters, 40), "begins with a header"),
    ],
)  # fmt: skip
def test_what_is_refused(value: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        sketch_of([("the name", "secret", value)])
    assert "the name" in str(caught.value)
    if len(value) >= WINDOW and value:
        assert value.decode("latin-1") not in str(caught.value)


def test_what_may_be_guessed_is_marked() -> None:
    value = b"correct horse battery staple"
    made = sketch_of([("p", "password", value), ("k", "aes", KEY)], allow_guessable=True)
    assert [secret.guessable for secret in made.secrets] == [True, False]
    assert made.guessable
    with pytest.raises(UsageError, match="16 are the least"):
        sketch_of([("pin", "pin", b"4711")], allow_guessable=True)


def test_no_secret_is_no_sketch() -> None:
    with pytest.raises(UsageError, match="no secret"):
        sketch_of([])


@pytest.mark.parametrize(
    ("value", "window", "least", "most"),
    [
        (KEY, 16, 127, 128),
        (bytes(16), 16, 0, 40),
        (b"aaaaaaaaaaaaaaaaaaaaaaaa", 16, 0, 30),
        (b"abcdefghijklmnopqrstuvwx", 16, 0, 40),
        (b"the quick brown fox jumps over", 16, 10, 70),
        (b"TheQuickBrownFoxJumpsOver", 16, 10, 75),
        (text(string.ascii_letters + string.digits, 22, 1), 22, 110, 132),
        (text(string.printable[:94], 16, 2), 16, 90, 106),
        (text("0123456789", 22, 3), 22, 40, 74),
        (text("0123456789abcdef", 32, 4), 32, 100, 128),
    ],
)
def test_bits_of_a_secret(value: bytes, window: int, least: float, most: float) -> None:
    assert least <= guess_bits(value, window) <= most


def test_keys_that_a_machine_drew_are_taken() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        assert least_bits(chance.randbytes(16)) >= LEAST_BITS
        assert least_bits(base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=")) >= LEAST_BITS
        assert least_bits(chance.randbytes(16).hex().encode()) >= LEAST_BITS


@given(st.binary(max_size=80), st.integers(1, 40))
def test_bits_are_some_and_not_more_than_there_are(value: bytes, window: int) -> None:
    assert 0 <= guess_bits(value, window) <= 8 * min(window, len(value))


def test_words_in_a_part_of_a_secret_are_seen() -> None:
    assert least_bits(b"correcthorsebatterystaple" + base64.b64encode(KEY + KEY)) < LEAST_BITS


@given(st.binary(min_size=22, max_size=90))
@settings(max_examples=50)
def test_the_same_bytes_are_behind_every_text(value: bytes) -> None:
    assert behind_text(value.hex().encode()) == ("hex", value)
    form, data = behind_text(base64.b64encode(value))
    assert form in ("base64", "hex")
    assert form == "hex" or value.endswith(data)  # what looks like the name of a service is left out


@pytest.mark.parametrize("head", [b"", b'{"', b'{ "', b"\x30\x82", b"eyJ", b"-----"])
def test_a_random_key_has_no_known_beginning(head: bytes) -> None:
    """A key in ten thousand begins as JSON does."""
    assert known_beginning(head + KEY) is None


# ---- files ----


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    names = st.text(string.ascii_letters + " äß€", min_size=1, max_size=20).filter(str.isprintable)
    values = st.binary(min_size=16, max_size=70)
    named = draw(st.lists(st.tuples(names, st.sampled_from(sorted(KINDS)), values), min_size=1, max_size=4))
    return sketch_of(named, allow_guessable=True)


@given(sketches())
@settings(max_examples=50)
def test_a_file_is_read_as_it_was_written(made: Sketch) -> None:
    read = parse_sketch(to_bytes(made), "s")
    assert (read.salt, read.looks, read.secrets) == (made.salt, made.looks, made.secrets)


def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_sketch(tmp_path / "s", sketch_of([("k", "aes", KEY)]))
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0
    assert read_sketch(tmp_path / "s").secrets[0].name == "k"


def test_a_file_holds_no_byte_of_the_secret() -> None:
    data = to_bytes(sketch_of([("k", "hs256", KEY)]))
    for at in range(32 - 3):
        piece = KEY[at : at + 4]
        assert piece not in data
        assert piece.hex().encode() not in data


def plain() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_bytes(sketch_of([("k", "aes", KEY)], salt=SALT)))
    return found


def changed(**changes: Any) -> bytes:
    return json.dumps(plain() | changes).encode()


def changed_secret(**changes: Any) -> bytes:
    made = plain()
    made["secrets"][0] |= changes
    return json.dumps(made).encode()


def changed_string(**changes: Any) -> bytes:
    made = plain()
    made["secrets"][0]["strings"][0] |= changes
    return json.dumps(made).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "its schema is not immure-sketch-1"),
        (b"{}", "its schema"),
        (changed(schema="immure-sketch-2"), "its schema"),
        (changed(more=1), "other members"),
        (changed(salt="AAAA"), "the salt has 3 bytes"),
        (changed(salt=5), "the salt is not base64url"),
        (changed(salt="Ü" * 43), "the salt is not base64url"),
        (changed(salt="A" * 42 + "B"), "the salt is not base64url"),  # bits left over
        (changed(looks=["all"]), "looks are out of text, one-case"),
        (changed(looks="text"), "looks are no list"),
        (changed(secrets=[]), "secrets are no list of 1"),
        (changed(secrets=[5]), "a secret has other members"),
        (changed_secret(name=""), "a name is no text"),
        (changed_secret(name="a\x1b[31m"), "a name is no text"),
        (changed_secret(name="x" * 201), "a name is no text"),
        (changed_secret(kind="rot13"), "the kind of a secret"),
        (changed_secret(kind=[]), "the kind of a secret"),
        (changed_secret(guessable=0), "guessable is neither"),
        (changed_secret(strings=[]), "the strings of a secret are no list"),
        (changed_string(part=None), "a part is no text"),
        (changed_string(form="rot13"), "the form of a string"),
        (changed_string(whole="AAAA"), "the digest of a whole string has 3 bytes"),
        (changed_string(windows=""), "the windows of a string have 0 bytes"),
        (changed_string(windows="AAAA"), "the windows of a string have 3 bytes"),
        (
            changed_string(windows=base64.urlsafe_b64encode(bytes(8 * 16385)).decode().rstrip("=")),
            "the windows",
        ),
        (changed_string(more=1), "a string has other members"),
    ],
)
def test_what_is_no_sketch(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse_sketch(data, "the file")
    assert str(caught.value).startswith("the file: ")


def test_a_sketch_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch_file, "MOST_WINDOWS", 20)
    with pytest.raises(LimitError, match="more than 20 windows"):
        parse_sketch(to_bytes(sketch_of([("k", "aes", KEY)])), "s")
    monkeypatch.setattr(sketch_file, "MOST_BYTES", 20)
    with pytest.raises(LimitError, match="more than 20 bytes"):
        parse_sketch(bytes(21), "s")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_sketch(tmp_path / "none")


# ---- where secrets come from ----


def test_secrets_of_files(tmp_path: Path) -> None:
    for name, data in (("raw", KEY[:31] + b"\n"), ("line", b"some text\r\n"), ("plain", b"some text")):
        (tmp_path / name).write_bytes(data)
    assert read_secrets(str(tmp_path / "raw"), "aes") == [("raw", "aes", KEY[:31] + b"\n")]
    assert read_secrets(str(tmp_path / "line"), "password", "db") == [("db", "password", b"some text")]
    assert read_secrets(str(tmp_path / "plain"), "password") == [("plain", "password", b"some text")]


def test_secrets_of_a_key_set(tmp_path: Path) -> None:
    k = base64.urlsafe_b64encode(KEY).rstrip(b"=").decode()
    keys = [
        {"kty": "oct", "kid": "a", "alg": "HS256", "k": k},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "alg": "A256GCMKW", "k": k},
    ]
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"keys": keys}))
    assert read_secrets(str(path), "secret") == [("a", "hs256", KEY), ("set.json key 2", "aes", KEY)]
    path.write_text(json.dumps(keys[0]))
    assert read_secrets(str(path), "secret", "other") == [("other", "hs256", KEY)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"kty": "RSA"}', "holds no key of type oct"),
        (b'{"keys": []}', "holds no key of type oct"),
        (b'{"kty": "oct"}', "key 1 of type oct has no k"),
        (b'{"kty": "oct", "k": "a"}', "its k is not base64url"),
        (b'{"kty": "oct", "k": "AAAA", "kid": "\\u001b"}', "the name of a secret"),
        (bytes(20_000), "is longer than 16384 bytes"),
    ],
)
def test_files_without_a_secret(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_secrets(str(tmp_path / "f"), "secret")


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"# of the app\r\nA=one=two\r\n\nB = three\n")
    assert list(read_list(str(tmp_path / "l"), "token")) == [
        ("A", "token", b"one=two"),
        ("B", "token", b" three"),
    ]
    (tmp_path / "l").write_bytes(b"A=one\nnothing\n")
    with pytest.raises(UsageError, match=r"line 2 is not NAME=VALUE"):
        list(read_list(str(tmp_path / "l"), "token"))


@given(st.binary(max_size=300))
def test_any_list_is_read_or_refused(data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            assert all(value for _, _, value in read_list(file.name, "token"))
            read_secrets(file.name, "secret")
        except ImmureError:
            pass
