"""Engines are few, are used again, and leave nothing behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from immure.console.sources import engines
from immure.console.sources.engines import Engines
from immure.detections.errors import DetectionError
from immure.errors import InputError


def test_one_is_used_again_for_the_same_folders(tmp_path: Path) -> None:
    made = Engines()
    with made.one(tmp_path / "a", {tmp_path}) as first:
        pass
    with made.one(tmp_path / "a", {tmp_path}) as second, made.one(tmp_path / "a", {tmp_path}) as third:
        assert second is first
        assert third is not first
    with made.one(tmp_path / "a", {tmp_path, tmp_path / "b"}) as other:
        assert other not in (second, third)
    assert len(list((tmp_path / "a").glob("spill-*"))) == engines.MOST
    made.close()
    assert not list((tmp_path / "a").glob("spill-*"))


def test_one_that_has_failed_is_not_used_again(tmp_path: Path) -> None:
    made = Engines()
    with pytest.raises(DetectionError), made.one(tmp_path, set()) as first:
        first.run("SELECT no_such_thing")
    with made.one(tmp_path, set()) as second:
        assert second is not first
    made.close()


def test_two_at_a_time(tmp_path: Path) -> None:
    made, most, busy, mutex = Engines(), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal most, busy
        with made.one(tmp_path, set()) as engine:
            with mutex:
                busy += 1
                most = max(most, busy)
            assert engine.one("SELECT sum(range) FROM range(200000)") == (19999900000,)
            with mutex:
                busy -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert 1 <= most <= engines.MOST
    made.close()


def test_what_one_who_was_killed_has_left(tmp_path: Path) -> None:
    for name, age in (("spill-old", 2), ("spill-new", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age * 86_400,) * 2)
    made = Engines()
    with made.one(tmp_path, set()):
        assert not (tmp_path / "spill-old").exists()
        assert (tmp_path / "spill-new").exists()
    made.close()


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError), Engines().one(tmp_path / "file" / "rows", set()):
        raise AssertionError("there is none")
