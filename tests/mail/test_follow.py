"""The follower: nothing is lost, nothing is there twice, and what is missing is said."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from immure.mail.access import Access, decode_access
from immure.mail.checkpoint import read_checkpoint
from immure.mail.errors import FollowError
from immure.mail.follow import Follower
from mail.events import command, login, opened


class Place:
    """A directory with events and their log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events = directory / "events.jsonl"
        self.output = directory / "access.jsonl"

    def write(self, *uids: int, end: bytes = b"\n") -> None:
        with self.events.open("ab") as stream:
            for uid in uids:
                stream.write(opened(uid=uid) + end)

    def follower(self) -> Follower:
        return Follower(self.events, self.output)

    def catch_up(self) -> int:
        with self.follower() as follower:
            return follower.catch_up()

    def records(self) -> list[Access]:
        return [decode_access(line) for line in self.output.read_bytes().splitlines()]

    def seen(self) -> list[int | str | None]:
        """UIDs, and reasons of gaps."""
        return [one.reason if one.action == "gap" else one.uid for one in self.records()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_was_read_is_not_read_again(place: Place):
    place.write(1, 2)
    place.catch_up()
    place.catch_up()
    place.write(3)
    place.catch_up()
    assert place.seen() == ["begin", 1, 2, 3]
    assert place.output.stat().st_mode & 0o777 == 0o600


def test_a_line_that_is_not_whole_waits(place: Place):
    place.write(1)
    place.write(2, end=b"")
    place.catch_up()
    assert place.seen() == ["begin", 1]
    with place.events.open("ab") as stream:
        stream.write(b"\n")
    place.catch_up()
    assert place.seen() == ["begin", 1, 2]


def test_events_may_come_later(place: Place):
    place.catch_up()
    place.write(1)
    place.catch_up()
    assert place.seen() == ["begin", 1]


@pytest.mark.parametrize("running", [True, False], ids=["running", "restarted"])
def test_renamed_events_are_read_to_their_end(place: Place, running: bool):
    place.write(1)
    follower = place.follower()
    follower.catch_up()
    if not running:
        follower.__exit__(None, None, None)
    place.write(2)
    place.events.rename(place.directory / "events.jsonl.1")
    with (place.directory / "events.jsonl.1").open("ab") as stream:
        stream.write(opened(uid=3) + b"\n")  # Dovecot has not opened the new one yet
    place.write(4)
    if running:
        follower.catch_up()
        follower.__exit__(None, None, None)
    else:
        place.catch_up()
    assert place.seen() == ["begin", 1, 2, 3, 4]


def test_events_that_were_renamed_twice_are_read_in_their_order(place: Place):
    place.write(1)
    place.catch_up()
    for number in (2, 3):
        for old in (1, 0):
            name = place.directory / f"events.jsonl{f'.{old}' if old else ''}"
            if name.exists():
                name.rename(place.directory / f"events.jsonl.{old + 1}")
        place.write(number)
        os.utime(place.events, ns=(0, place_time(place) + number * 10**9))
    place.catch_up()
    assert place.seen() == ["begin", 1, 2, 3]


def place_time(place: Place) -> int:
    return max(path.stat().st_mtime_ns for path in place.directory.glob("events.jsonl.*"))


def test_events_that_became_shorter_are_a_gap(place: Place):
    place.write(1, 2)
    place.catch_up()
    data = place.events.read_bytes()
    place.events.write_bytes(data.splitlines(keepends=True)[0])
    place.catch_up()
    assert place.seen() == ["begin", 1, 2, "replaced", 1]


def test_events_that_became_shorter_meanwhile_are_a_gap(place: Place):
    place.write(1, 2)
    with place.follower() as follower:
        follower.catch_up()
        os.truncate(place.events, 0)
        follower.catch_up()
        place.write(3)
        follower.catch_up()
    assert place.seen() == ["begin", 1, 2, "truncated", 3]


def test_other_events_in_their_place_are_a_gap(place: Place):
    place.write(1)
    place.catch_up()
    place.events.unlink()
    place.write(2)
    place.catch_up()
    assert place.seen() == ["begin", 1, "replaced", 2]


def test_a_line_that_is_too_long_is_a_gap(place: Place):
    place.write(1)
    with place.events.open("ab") as stream:
        stream.write(b"x" * (3 << 20) + b"\n")
    place.write(2)
    place.catch_up()
    assert place.seen() == ["begin", 1, "overlong", 2]


def test_what_is_no_event_is_a_gap(place: Place):
    place.write(1)
    with place.events.open("ab") as stream:
        stream.write(b"junk\njunk\n")
    with place.follower() as follower:
        follower.catch_up()
        assert follower.gaps == 1
    assert place.seen() == ["begin", 1, "unreadable"]


def test_who_was_killed_before_the_checkpoint_begins_there_again(place: Place):
    place.write(1)
    place.catch_up()
    before = (place.output.with_name("access.jsonl.checkpoint")).read_bytes()
    place.write(2, 3)
    place.catch_up()
    place.output.with_name("access.jsonl.checkpoint").write_bytes(before)
    with place.output.open("ab") as stream:
        stream.write(b'{"torn')
    place.write(4)
    place.catch_up()
    assert place.seen() == ["begin", 1, 2, 3, 4]


def test_the_digest_of_a_session_outlives_a_restart(place: Place):
    place.events.write_bytes(login() + b"\n")
    place.catch_up()
    with place.events.open("ab") as stream:
        stream.write(command("FETCH", "1:*") + b"\n")
    place.catch_up()
    assert place.records()[-1].digest == place.records()[-2].digest is not None


def test_a_new_log_goes_on_where_the_old_one_ended(place: Place):
    place.write(1)
    place.catch_up()
    place.output.rename(place.directory / "access.old")
    place.write(2)
    place.catch_up()
    assert place.seen() == [2]


def test_one_writer_at_a_time(place: Place):
    with place.follower(), pytest.raises(FollowError, match="another process"):
        place.follower()


def test_a_log_without_its_checkpoint_is_not_written(place: Place):
    place.write(1)
    place.catch_up()
    place.output.with_name("access.jsonl.checkpoint").unlink()
    with pytest.raises(FollowError, match="missing"):
        place.follower()


def test_a_log_that_became_shorter_is_not_written(place: Place):
    place.write(1)
    place.catch_up()
    os.truncate(place.output, 3)
    with pytest.raises(FollowError, match="has 3 bytes"):
        place.follower()


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b'{"version":2}', b'{"version":1,"inode":-1}', b"\xff", b"[" * 100_000],
    ids=range(7),
)
def test_a_checkpoint_that_is_none_is_refused(place: Place, text: bytes):
    path = place.output.with_name("access.jsonl.checkpoint")
    path.write_bytes(text)
    with pytest.raises(FollowError, match="no checkpoint"):
        read_checkpoint(path)
    with pytest.raises(FollowError, match="no checkpoint"):
        place.follower()
    place.output.unlink()  # the lock went with it: nobody has it
    path.unlink()
    place.write(1)
    assert place.catch_up() > 0


def test_following_ends_when_it_is_asked_to(place: Place):
    stop = threading.Event()
    place.write(1)
    with place.follower() as follower:
        thread = threading.Thread(target=follower.follow, args=(stop,), kwargs={"pause": 0.01})
        thread.start()
        place.write(2)
        while len(place.records()) < 3:
            stop.wait(0.01)
        place.write(3)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
    assert place.seen() == ["begin", 1, 2, 3]
