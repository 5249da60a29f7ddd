"""A watch over directories: what is new is scanned, what is known is not, and nothing gets lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from immure.scanning.options import ScanOptions
from immure.watching.errors import SourceError
from immure.watching.item import Item, Source, Trouble
from immure.watching.sources.directory import Directory
from immure.watching.state import State

from .making import Made, look, places, write_tree


def test_a_tree_is_searched_and_every_place_is_told(tmp_path: Path, key: Made, other: Made) -> None:
    write_tree(
        tmp_path, {"a.txt": b"no key", "b/k.pem": key.pem, "c/d/k.der": b"xx" + key.der, "o": other.pem}
    )
    result = look(tmp_path)
    assert places(result) == {key.name: {"b/k.pem", "c/d/k.der"}, other.name: {"o"}}
    assert result.complete
    assert result.is_open
    assert (result.runs[0].items, result.runs[0].scanned) == (4, 4)


def test_a_raw_seed_is_found_by_its_public_half_only(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"memory.bin": os.urandom(64) + key.seed + os.urandom(64)})
    assert not places(look(tmp_path))
    assert places(look(tmp_path, keys=(key,))) == {key.name: {"memory.bin"}}


def test_nothing_is_scanned_twice(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path / "t", {"a": b"text", "k": key.pem, "big": bytes(3 << 20) + b"end"})
    state = State(tmp_path / "state")
    first, second = look(tmp_path / "t", state=state), look(tmp_path / "t", state=state)
    assert (first.runs[0].scanned, second.runs[0].scanned) == (3, 0)
    assert places(first) == places(second) == {key.name: {"k"}}
    assert second.findings[0].first_seen == first.findings[0].first_seen
    assert second.findings[0].last_seen > first.findings[0].last_seen


def test_content_that_moved_is_known(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path / "t", {"k": key.pem, "x": b"text"})
    state = State(tmp_path / "state")
    look(tmp_path / "t", state=state)
    (tmp_path / "t/k").rename(tmp_path / "t/moved")
    result = look(tmp_path / "t", state=state)
    assert result.runs[0].scanned == 0
    assert places(result) == {key.name: {"moved"}}
    assert [sighting.path for sighting in result.gone] == ["k"]


def test_a_new_key_makes_old_scans_insufficient_and_costs_its_own_search_only(
    tmp_path: Path, key: Made, other: Made
) -> None:
    write_tree(tmp_path / "t", {"m": os.urandom(64) + key.seed + os.urandom(64) + other.seed})
    state = State(tmp_path / "state")
    runs = [look(tmp_path / "t", state=state, keys=keys) for keys in ((key,), (key, other), (other,), ())]
    assert [result.runs[0].scanned for result in runs] == [1, 1, 0, 0]
    assert [set(places(result)) for result in runs] == [
        {key.name}, {key.name, other.name}, {key.name, other.name}, {key.name, other.name}
    ]  # fmt: skip


def test_a_later_scan_does_not_forget_what_an_earlier_one_knew(
    tmp_path: Path, key: Made, other: Made
) -> None:
    write_tree(tmp_path / "t", {"m": key.pem + bytes(64) + key.seed + bytes(64)})
    state = State(tmp_path / "state")
    (before,) = look(tmp_path / "t", state=state, keys=(key,)).sightings
    (after,) = look(tmp_path / "t", state=state, keys=(key, other)).sightings
    assert (
        (after.hit.kind, after.hit.count)
        == (before.hit.kind, before.hit.count)
        == ("named", before.hit.count)
    )


@pytest.mark.parametrize(
    ("first", "second", "scans"),
    [("quick", "exhaustive", 1), ("exhaustive", "quick", 0), ("quick", "quick", 0)],
)
def test_a_thorough_scan_answers_for_a_quick_one(tmp_path: Path, first: str, second: str, scans: int) -> None:
    write_tree(tmp_path / "t", {"a": b"text"})
    state = State(tmp_path / "state")
    look(tmp_path / "t", state=state, options=ScanOptions(mode=first, threads=1))  # type: ignore[arg-type]
    result = look(tmp_path / "t", state=state, options=ScanOptions(mode=second, threads=1))  # type: ignore[arg-type]
    assert result.runs[0].scanned == scans


def test_a_file_that_changes_keeps_the_day_on_which_its_key_was_first_seen(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path / "t", {"k": key.pem})
    state = State(tmp_path / "state")
    first = look(tmp_path / "t", state=state)
    write_tree(tmp_path / "t", {"k": key.pem + b"more\n"}, old=False)
    second = look(tmp_path / "t", state=state)
    write_tree(tmp_path / "t", {"k": b"no key"}, old=False)
    third = look(tmp_path / "t", state=state)
    assert second.findings[0].first_seen == first.findings[0].first_seen
    assert not second.gone
    assert not third.findings
    assert [one.path for one in third.gone] == ["k"]


def test_a_fresh_file_is_read_again_because_its_time_may_stay_the_same(tmp_path: Path, key: Made) -> None:
    path = tmp_path / "t/k"
    state = State(tmp_path / "state")
    write_tree(tmp_path / "t", {"k": bytes(len(key.pem))}, old=False)
    found = path.stat()
    look(tmp_path / "t", state=state)
    path.write_bytes(key.pem)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert places(look(tmp_path / "t", state=state)) == {key.name: {"k"}}


def test_what_cannot_be_read_is_told_and_is_not_gone(tmp_path: Path, key: Made) -> None:
    class Half(Directory):
        """A directory that has trouble with its second half."""

        is_whole = True

        def items(self):
            for given in super().items():
                yield given if self.is_whole else Trouble("t", "cannot be opened")

    write_tree(tmp_path, {"t/k": key.pem})
    state, source = State(), Half(str(tmp_path))
    assert look(source, state=state).complete
    source.is_whole = False
    result = look(source, state=state)
    assert not result.complete
    assert places(result) == {key.name: {"t/k"}}, "it may be there still"


class _Broken(Source):
    kind = "broken"
    name = "broken"

    def items(self):
        yield Item("a", None, _refuse)
        raise SourceError("the store is gone")


def _refuse():
    raise SourceError("no permission")


def test_a_source_that_breaks_off_leaves_what_it_had(key: Made) -> None:
    result = look(_Broken())
    assert not result.complete
    assert not result.runs[0].whole
    assert [trouble.reason for trouble in result.runs[0].troubles] == ["no permission", "the store is gone"]


def test_an_empty_target_is_no_evidence(tmp_path: Path) -> None:
    assert not look(tmp_path).complete


def test_links_are_not_followed_and_special_files_not_opened(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"out/k": key.pem, "t/a": b"text"})
    (tmp_path / "t/link").symlink_to("../out/k")
    (tmp_path / "t/loop").symlink_to(".")
    os.mkfifo(tmp_path / "t/fifo")
    result = look(tmp_path / "t")
    assert result.complete
    assert not result.findings
    assert result.runs[0].items == 1


def test_names_that_are_no_text_and_steer_terminals(tmp_path: Path, key: Made) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\x1b[31m\n"
    with open(name, "wb") as stream:
        stream.write(key.pem)
    (sighting,) = look(tmp_path).sightings
    assert sighting.path == "\\xff\\x1b[31m\\n"


def test_a_large_image_is_scanned_alone_and_its_gaps_are_told(tmp_path: Path, key: Made) -> None:
    noise = os.urandom(12 << 20)
    write_tree(tmp_path / "t", {"big": noise[: 6 << 20] + key.pem + noise[6 << 20 :]})
    state = State(tmp_path / "state")
    for _ in range(2):
        result = look(tmp_path / "t", state=state)
        assert places(result) == {key.name: {"big"}}
        assert not result.complete
        assert any("quick mode" in trouble.reason for trouble in result.runs[0].troubles)


_VICTIM = """
import sys
from immure.watching import watch
watch._TOGETHER = 20
from immure.scanning.options import ScanOptions
from immure.watching.question import ask
from immure.watching.sources.opening import open_source
from immure.watching.state import State
def told(items, scanned, place):
    print(scanned, flush=True)
watch.Watch(State(sys.argv[2]), ask([], ScanOptions(threads=1)), progress=told).run(open_source(sys.argv[1]))
"""


@pytest.mark.parametrize("after", [30, 75, 150])
def test_killed_in_mid_run_it_goes_on_and_loses_nothing(
    tmp_path: Path, key: Made, other: Made, after: int
) -> None:
    files = {f"{number:03}": b"file %d" % number for number in range(200)}
    files |= {"005k": key.pem, "150k": other.pem}
    write_tree(tmp_path / "t", files)
    command = [sys.executable, "-c", _VICTIM, str(tmp_path / "t"), str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for line in victim.stdout:
            if int(line) >= after:
                victim.send_signal(signal.SIGKILL)
                break
        victim.wait()
    result = look(tmp_path / "t", state=State(tmp_path / "state"))
    assert set(places(result)) == {key.name, other.name}
    assert result.complete
    assert result.runs[0].items == 202
    assert result.runs[0].scanned <= 202 - after + 40, "at most what was in hand is done again"


def test_two_watches_share_a_state(tmp_path: Path, key: Made, other: Made) -> None:
    write_tree(tmp_path, {"a/k": key.pem, "b/k": other.pem})
    one, two = State(tmp_path / "state"), State(tmp_path / "state")
    look(tmp_path / "a", state=one)
    assert set(places(look(tmp_path / "b", state=two))) == {other.name}
    assert set(places(look(tmp_path / "a", tmp_path / "b", state=one))) == {key.name, other.name}


def test_many_small_files_cost_little(tmp_path: Path) -> None:
    write_tree(
        tmp_path, {f"{n % 20}/{n}": b"def function_%d():\n    return %d\n" % (n, n) for n in range(1_000)}
    )
    began = time.perf_counter()
    assert look(tmp_path).runs[0].scanned == 1_000
    assert time.perf_counter() - began < 20, "each alone would take 20 s and more"
