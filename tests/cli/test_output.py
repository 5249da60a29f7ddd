from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from immure.cli.output import check_writable, open_output
from immure.errors import UsageError


def test_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with open_output(str(target)) as stream:
        stream.write("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert os.listdir(tmp_path) == ["report.json"]


def test_old_file_stays_if_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")

    def fail() -> None:
        with open_output(str(target)) as stream:
            stream.write("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_permissions(tmp_path: Path) -> None:
    fresh, old = tmp_path / "fresh", tmp_path / "old"
    old.touch()
    old.chmod(0o600)
    before = os.umask(0o027)
    try:
        for path in (fresh, old):
            with open_output(str(path)) as stream:
                stream.write("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


def test_link_is_followed_and_kept(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    link = tmp_path / "link"
    link.symlink_to("real")
    with open_output(str(link)) as stream:
        stream.write("x")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "x"


def test_device_is_written_to_and_not_replaced() -> None:
    check_writable(os.devnull)
    with open_output(os.devnull) as stream:
        stream.write("x")
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)


def test_pipe_by_the_name_of_its_descriptor() -> None:
    reading, writing = os.pipe()
    path = f"/dev/fd/{writing}"
    check_writable(path)
    with open_output(path) as stream:
        stream.write("x")
    assert os.read(reading, 10) == b"x"
    os.close(reading)
    os.close(writing)


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with open_output(None) as stream:
        stream.write("x")
    assert capsys.readouterr().out == "x"


@pytest.mark.parametrize("path", [".", "no/such/directory/report.json"])
def test_impossible_outputs_are_refused_beforehand(path: str) -> None:
    with pytest.raises(UsageError, match="cannot write the report"):
        check_writable(path)


def test_failure_to_write_is_a_usage_error(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="cannot write the report"),
        open_output(str(tmp_path / "no" / "file")),
    ):
        pass
