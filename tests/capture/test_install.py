"""Installing below another root: what is written, what is remembered, what is put back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from immure.capture import install as installing
from immure.capture import pattern as patterns
from immure.capture.install import EARLIER, Plan, install, make_plan, uninstall
from immure.capture.settings import CONFIG, Settings, read_settings
from immure.capture.unit import SYSCTL, UNIT, memory_max, unit_text
from immure.errors import CaptureError, UsageError

from .helpers import MOMENT

PROGRAM = "/usr/bin/immure"
SYSTEMD = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h"
REDACTED = Settings(keep="redacted")


def below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def plan(root: Path, settings: Settings | None = None, **more: object) -> Plan:
    options: dict[str, object] = {"via": "asking-socket", "program": PROGRAM, "clock": lambda: MOMENT, **more}
    return make_plan(settings or Settings(), root=root, **options)  # type: ignore[arg-type]


@pytest.fixture
def with_systemd(tmp_path: Path) -> Path:
    """A root where systemd-coredump gets the cores."""
    path = tmp_path / "usr/lib/sysctl.d/50-coredump.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f"kernel.core_pattern={SYSTEMD}\nkernel.core_pipe_limit=16\n")
    return tmp_path


def test_installed_and_uninstalled(tmp_path: Path) -> None:
    done = install(plan(tmp_path, Settings(keep="redacted", keys=("/etc/immure/jwks.json",))))
    assert len(done) == 5
    assert (
        below(tmp_path, SYSCTL).read_text().splitlines()[-1]
        == "kernel.core_pattern = @@/run/immure/core.sock"
    )
    assert read_settings(below(tmp_path, CONFIG)) == Settings(
        keep="redacted", keys=("/etc/immure/jwks.json",)
    )
    assert json.loads(below(tmp_path, EARLIER).read_text())["pattern"] == "core"
    assert below(tmp_path, EARLIER).stat().st_mode & 0o077 == 0
    uninstall(root=tmp_path)
    assert tree(tmp_path) == {}
    assert uninstall(root=tmp_path) == ["nothing was installed"]


def test_the_service_may_do_little(tmp_path: Path) -> None:
    install(plan(tmp_path))
    lines = below(tmp_path, UNIT).read_text().splitlines()
    assert f"ExecStart={PROGRAM} capture serve --config {CONFIG}" in lines
    for line in (
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "PrivateNetwork=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "SystemCallFilter=@system-service",
        "RuntimeDirectoryMode=0700",
    ):
        assert line in lines, line
    [memory] = [line for line in lines if line.startswith("MemoryMax=")]
    assert memory == f"MemoryMax={memory_max(Settings()) >> 20}M"


@pytest.mark.parametrize(
    ("settings", "there", "absent"),
    [
        (Settings(), "PrivateNetwork=yes", "ReadWritePaths="),
        (Settings(keys=("https://login.example/",)), "NoNewPrivileges=yes", "PrivateNetwork=yes"),
        (Settings(vault="/srv/vault"), "ReadWritePaths=/srv/vault", "CAP_SETUID"),
        (Settings(keep="redacted", forward_to=SYSTEMD), "CAP_SETUID", "{"),
    ],
)
def test_the_service_has_what_its_settings_need(settings: Settings, there: str, absent: str) -> None:
    text = unit_text(settings, PROGRAM)
    assert there in text
    assert absent not in text


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="NOT TESTED: systemd-analyze is not installed"
)
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "immure-capture.service"
    unit.write_text(unit_text(Settings(keep="redacted", forward_to=SYSTEMD), "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "immure-capture" in line]
    assert said == []


def test_somebody_else_is_not_pushed_aside(with_systemd: Path) -> None:
    before = tree(with_systemd)
    with pytest.raises(UsageError, match=r"systemd-coredump gets the cores .* --replace .* --forward"):
        plan(with_systemd)
    assert tree(with_systemd) == before


def test_somebody_else_is_replaced_and_remembered(with_systemd: Path) -> None:
    before = tree(with_systemd)
    install(plan(with_systemd, replace_owner=True))
    note = json.loads(below(with_systemd, EARLIER).read_text())
    assert note == {"pattern": SYSTEMD, "pipe_limit": None, "installed": "2026-11-25T01:02:03Z"}
    assert read_settings(below(with_systemd, CONFIG)).forward_to is None
    # a second time nobody has to be asked: it is ours by now, and what was before is still remembered
    install(plan(with_systemd))
    assert json.loads(below(with_systemd, EARLIER).read_text()) == note
    uninstall(root=with_systemd)
    assert tree(with_systemd) == before


def test_somebody_else_gets_redacted_cores(with_systemd: Path) -> None:
    install(plan(with_systemd, REDACTED, replace_owner=True, forward=True))
    assert read_settings(below(with_systemd, CONFIG)).forward_to == SYSTEMD
    assert "CAP_SETUID" in below(with_systemd, UNIT).read_text()


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        (Settings(), {"replace_owner": True, "forward": True}, "only redacted cores are handed on"),
        (Settings(), {"replace_owner": True, "program": "immure"}, "absolute path"),
    ],
)
def test_plans_that_make_no_sense(
    with_systemd: Path, settings: Settings, more: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        plan(with_systemd, settings, **more)


def test_nobody_to_forward_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no program to forward to"):
        plan(tmp_path, REDACTED, forward=True)


def test_pipes_are_bounded(tmp_path: Path) -> None:
    install(plan(tmp_path, via="pipe"))
    lines = below(tmp_path, SYSCTL).read_text().splitlines()
    assert lines[-2:] == [
        f"kernel.core_pipe_limit = {installing.PIPE_LIMIT}",
        f"kernel.core_pattern = |{PROGRAM} capture handle %P %s %u %g",
    ]


@pytest.mark.parametrize("text", ["[]", "{", "\xff"])
def test_a_note_that_cannot_be_read_is_not_guessed(tmp_path: Path, text: str) -> None:
    below(tmp_path, EARLIER).parent.mkdir(parents=True)
    below(tmp_path, EARLIER).write_text(text, encoding="latin-1")
    for do in (lambda: plan(tmp_path), lambda: uninstall(root=tmp_path)):
        with pytest.raises(CaptureError, match=EARLIER.name):
            do()


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file")
    with pytest.raises(CaptureError, match="cannot be written"):
        install(plan(tmp_path))


class TestLive:
    """On a system whose files are all elsewhere: the pattern in force, and where systemd is not."""

    @pytest.fixture(autouse=True)
    def system(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in ("CORE_PATTERN", "PIPE_LIMIT", "LOCK"):
            monkeypatch.setattr(patterns, name, tmp_path / name)
        monkeypatch.setattr(installing, "_below", below_root(tmp_path / "root"))
        monkeypatch.setattr(installing, "_SYSTEMD", tmp_path / "no-systemd")
        (tmp_path / "CORE_PATTERN").write_text("core.%p\n")
        (tmp_path / "PIPE_LIMIT").write_text("3\n")
        return tmp_path

    def settings(self, system: Path) -> Settings:
        names = ("vault", "records", "spool")
        return Settings(**{name: str(system / "var" / name) for name in names})  # type: ignore[arg-type]

    def test_there_and_back(self, system: Path) -> None:
        done = install(plan(Path("/"), self.settings(system)))
        assert (system / "CORE_PATTERN").read_text() == "@@/run/immure/core.sock\n"
        assert any("start `immure capture serve` yourself" in line for line in done)
        assert (system / "var" / "vault" / "vault.json").exists()
        assert uninstall()[0] == "core_pattern is again core.%p"
        assert (system / "CORE_PATTERN").read_text() == "core.%p\n"
        assert (system / "PIPE_LIMIT").read_text() == "3\n"
        assert (system / "var" / "vault" / "vault.json").exists()  # what was sealed stays

    def test_pipe_limit_comes_back_too(self, system: Path) -> None:
        install(plan(Path("/"), self.settings(system), via="pipe"))
        assert (system / "PIPE_LIMIT").read_text() == f"{installing.PIPE_LIMIT}\n"
        uninstall()
        assert (system / "PIPE_LIMIT").read_text() == "3\n"

    def test_not_applied(self, system: Path) -> None:
        install(plan(Path("/"), self.settings(system)), apply=False)
        assert (system / "CORE_PATTERN").read_text() == "core.%p\n"
        uninstall(apply=False)
        assert tree(system / "root") == {}

    def test_what_somebody_has_changed_since_stays(self, system: Path) -> None:
        install(plan(Path("/"), self.settings(system)))
        (system / "CORE_PATTERN").write_text("|/usr/bin/other\n")
        assert "which is not ours: it stays" in uninstall()[0]
        assert (system / "CORE_PATTERN").read_text() == "|/usr/bin/other\n"

    def test_somebody_else_is_not_pushed_aside(self, system: Path) -> None:
        (system / "CORE_PATTERN").write_text(f"{SYSTEMD}\n")
        with pytest.raises(UsageError, match="systemd-coredump"):
            plan(Path("/"), self.settings(system))


def below_root(root: Path) -> object:
    def below(_: Path, path: Path) -> Path:
        return root / path.relative_to("/")

    return below
