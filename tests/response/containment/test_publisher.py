"""The deny-list at who signs it: numbers that only go up, one at a time, and nothing said twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from immure.custody import Signer, open_signer
from immure.custody.generate import generate
from immure.errors import ImmureError
from immure.response.containment.errors import PublishError
from immure.response.containment.publisher import FILE, Publisher, copy_list, pinned
from immure.tokens.deny_list import MOST_KEYS, DeniedKey, verify_deny_list
from immure.tokens.deny_list_errors import DenyListError

NAME, ISSUER = "https://login.example/deny-list", "https://login.example/"
START = datetime(2026, 11, 25, tzinfo=UTC)
KEY = DeniedKey(ISSUER, "k1", "0" * 43, 5)


@pytest.fixture(params=["EdDSA", "ES256", "PS256"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Signer]:
    generate(tmp_path / "deny.key", request.param, bits=2048)
    with open_signer(f"file:{tmp_path / 'deny.key'}") as signer:
        yield signer


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Signer]:
    generate(tmp_path / "deny.key")
    with open_signer(f"file:{tmp_path / 'deny.key'}") as signer:
        yield signer


def publisher(tmp_path: Path, signer: Signer, at: datetime = START, **more: Any) -> Publisher:
    return Publisher(tmp_path / "list", name=NAME, signer=signer, lifetime=86_400, time=lambda: at, **more)


def test_by_each_kind_of_key(tmp_path: Path, signer: Signer) -> None:
    text, made = publisher(tmp_path, signer).deny([KEY], {ISSUER: 7})
    assert verify_deny_list(text, pinned(signer), NAME) == made
    assert (made.keys, dict(made.epochs)) == ((KEY,), {ISSUER: 7})
    assert made.sequence == START.timestamp()


def test_what_is_on_it_changes_nothing(tmp_path: Path, plain: Signer) -> None:
    first = publisher(tmp_path, plain).deny([KEY], {ISSUER: 7})
    assert publisher(tmp_path, plain, START + timedelta(hours=1)).deny([KEY], {ISSUER: 6}) == first
    again = DeniedKey(ISSUER, "k1", "0" * 43, 999, "suspected")  # said otherwise: the first word stays
    assert publisher(tmp_path, plain).deny([again]) == first
    later = publisher(tmp_path, plain, START + timedelta(hours=20)).deny([KEY])
    assert later[1].sequence > first[1].sequence  # it has less than half of its time before it
    assert later[1].keys == first[1].keys


def test_numbers(tmp_path: Path, plain: Signer) -> None:
    """They go up though the clock goes back, and are not behind the clock though the directory is lost."""
    numbers = [publisher(tmp_path, plain).deny([KEY])[1].sequence]
    numbers += [publisher(tmp_path, plain, START - timedelta(days=9)).renew()[1].sequence for _ in range(3)]
    assert numbers == [numbers[0] + step for step in range(4)]
    (tmp_path / "list" / FILE).unlink()
    later = publisher(tmp_path, plain, START + timedelta(seconds=9))
    assert later.deny([KEY])[1].sequence == numbers[0] + 9


def test_a_lost_list_is_not_renewed(tmp_path: Path, plain: Signer) -> None:
    """An empty one with a higher number would let in again whatever the lost one kept out."""
    one = publisher(tmp_path, plain)
    one.deny([KEY])
    assert one.renew()[1].keys == (KEY,)
    (tmp_path / "list" / FILE).unlink()
    with pytest.raises(PublishError, match=r"deny-list\.jwt: there is no list to sign anew"):
        one.renew()
    assert one.current() is None


def test_a_first_list(tmp_path: Path, plain: Signer) -> None:
    one = publisher(tmp_path, plain)
    text, made = one.begin()
    assert (made.keys, dict(made.epochs), made.sequence) == ((), {}, START.timestamp())
    assert one.current() == (text, made)
    with pytest.raises(PublishError, match=f"there is a list already, number {made.sequence}"):
        one.begin()
    assert one.current() == (text, made)


def test_more_is_added(tmp_path: Path, plain: Signer) -> None:
    one = publisher(tmp_path, plain)
    one.deny([KEY], {ISSUER: 7})
    _, made = one.deny([DeniedKey(ISSUER, "k2", "", 6)], {ISSUER: 9, "https://b.example/": 1})
    assert [key.kid for key in made.keys] == ["k1", "k2"]
    assert dict(made.epochs) == {ISSUER: 9, "https://b.example/": 1}
    _, made = one.deny([DeniedKey(ISSUER, "k1", "1" * 43, 8)])  # the name of another key by now
    assert [(key.kid, key.thumbprint) for key in made.keys] == [("k1", "1" * 43), ("k2", "")]


def test_many_at_once(tmp_path: Path, plain: Signer) -> None:
    problems: list[ImmureError] = []

    def deny(number: int) -> None:
        try:
            publisher(tmp_path, plain).deny([DeniedKey(ISSUER, f"k{number}", "", 1)])
        except ImmureError as error:
            problems.append(error)

    threads = [threading.Thread(target=deny, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    found = publisher(tmp_path, plain).current()
    assert found is not None
    assert sorted(key.kid for key in found[1].keys) == sorted(f"k{number}" for number in range(12))
    assert found[1].sequence == START.timestamp() + 11


def test_too_many(tmp_path: Path, plain: Signer) -> None:
    one = publisher(tmp_path, plain)
    first = one.deny([KEY])
    with pytest.raises(PublishError, match="more than 2048 keys"):
        one.deny([DeniedKey(ISSUER, f"n{number}", "", 1) for number in range(MOST_KEYS)])
    assert one.current() == first


#: What is in the place of the list; what is said.
BROKEN = [
    ("half of a list", b"eyJ", "is not signed by the pinned key"),
    ("another's list", None, "is not signed by the pinned key"),
]


@pytest.mark.parametrize(("data", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_file_that_is_not_ours(tmp_path: Path, plain: Signer, data: bytes | None, words: str) -> None:
    """It is not thrown away: somebody must look at it."""
    publisher(tmp_path, plain).begin()
    path = tmp_path / "list" / FILE
    if data is None:
        generate(tmp_path / "other.key")
        with open_signer(f"file:{tmp_path / 'other.key'}") as other:
            Publisher(tmp_path / "other", name=NAME, signer=other, lifetime=60).begin()
        data = (tmp_path / "other" / FILE).read_bytes()
    path.write_bytes(data)
    with pytest.raises(DenyListError, match=words):
        publisher(tmp_path, plain).deny([KEY])
    assert path.read_bytes() == data


def test_places_that_cannot_be_written(tmp_path: Path, plain: Signer) -> None:
    (tmp_path / "list").write_text("a file")
    with pytest.raises(PublishError, match="list"):
        publisher(tmp_path, plain)
    with pytest.raises(PublishError, match="cannot be written: No such file"):
        copy_list(b"x", tmp_path / "none" / "copy.jwt")
    copy_list(b"x", tmp_path / "copy.jwt")
    before = (tmp_path / "copy.jwt").stat().st_ino
    copy_list(b"x", tmp_path / "copy.jwt")
    assert (tmp_path / "copy.jwt").stat().st_ino == before  # the same is not written again
    assert (tmp_path / "copy.jwt").read_bytes() == b"x\n"
