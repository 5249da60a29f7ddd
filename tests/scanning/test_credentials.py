"""Credentials in text, by the engine that is built in with the extra."""

from __future__ import annotations

import base64
import importlib
import random
import string
import sys

import pytest

from immure.dumps.dump import Image
from immure.errors import UsageError
from immure.scanning import credentials
from immure.scanning.credentials import Credential, CredentialSearch, NotRead

from .material import filler, image_of

CHANCE = random.Random("credentials")


def token() -> bytes:
    """As GitLab makes them; a new one each time, so that none is written down here."""
    letters = CHANCE.choices(string.ascii_letters + string.digits, k=20)
    return b"glpat-" + "".join(letters).encode()


@pytest.fixture(scope="module")
def search() -> CredentialSearch:
    return CredentialSearch()


def found(search: CredentialSearch, data: bytes | bytearray | Image) -> list[Credential]:
    image = data if isinstance(data, Image) else image_of(data)
    result = list(search.search(image))
    assert all(isinstance(one, Credential) for one in result)
    return [one for one in result if isinstance(one, Credential)]


@pytest.mark.timeout(120)
def test_a_token_is_found_where_it_is(search: CredentialSearch) -> None:
    secret, memory = token(), filler("random", 1 << 16)
    memory[4097 : 4097 + 36] = b"\nTOKEN = " + secret + b"\n"
    (one,) = found(search, memory)
    assert (one.offset, one.length) == (4097 + 9, 26)
    assert one.rule.endswith("gitlab-pat")
    assert secret.decode() not in repr(one)


def test_a_token_in_base64_and_twice(search: CredentialSearch) -> None:
    secret = token()
    hidden = base64.b64encode(b"password for the build: " + secret + b", do not tell anybody")
    plain, encoded = found(search, b"a = " + secret + b"\n" + bytes(4096) + b"b: " + hidden + b"\n")
    assert (plain.is_encoded, encoded.is_encoded) == (False, True)
    assert plain.digest == encoded.digest
    assert encoded.offset == 4 + 26 + 1 + 4096 + 3


def test_a_token_across_windows_is_found_once(
    search: CredentialSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_WINDOW", 8192)
    monkeypatch.setattr(credentials, "_OVERLAP", 1024)
    for at in (8192 - 13, 8192 - 500, 7168 + 3):
        memory = filler("zeros", 64 << 10)
        memory[at : at + 28] = b"\n" + token() + b"\n"
        assert [one.offset for one in found(search, memory)] == [at + 1]


def test_comments_in_what_is_searched_silence_nothing(search: CredentialSearch) -> None:
    for comment in (b"# kingfisher:ignore", b"# gitleaks:allow"):
        assert len(found(search, b"key = " + token() + b"  " + comment + b"\n")) == 1


@pytest.mark.parametrize("name", ["zeros", "random", "text", "ordinary"])
def test_nothing_is_found_where_nothing_is(search: CredentialSearch, name: str) -> None:
    assert found(search, filler(name, 256 << 10)) == []


def test_digests_of_another_search_are_others(search: CredentialSearch) -> None:
    text = b"key = " + token() + b"\n"
    assert found(search, text)[0].digest != found(CredentialSearch(), text)[0].digest


def test_what_was_not_searched_is_said(search: CredentialSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_MOST_MATCHES", 2)
    text = b"".join(b"key = " + token() + b"\n" for _ in range(4))
    *matches, last = search.search(image_of(text))
    assert len(matches) == 2
    assert isinstance(last, NotRead)
    assert last.reason == "more than 2 credentials in one image"


def test_an_engine_that_gives_up_is_no_end_of_the_search(
    search: CredentialSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tired:
        def scan(self, data: bytes, timeout: float) -> list[object]:
            raise TimeoutError("too long")

    monkeypatch.setattr(search, "_scanner", Tired())
    (one,) = search.search(image_of(b"key = " + token()))
    assert one == NotRead(0, 32, "the search for credentials gave up: too long")


def test_without_the_package_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kingfisher_sdk", None)
    importlib.invalidate_caches()
    with pytest.raises(UsageError, match=r"pip install 'immure\[credentials\]'"):
        CredentialSearch()
