"""The server on the kernel's own socket: real crashes, real vault."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from immure.capture.building import keeper_of
from immure.capture.drill.canary import make_canary
from immure.capture.handing import ask_state
from immure.capture.journal import Journal
from immure.capture.keeping import Keeper
from immure.capture.pattern import via_of_kernel
from immure.capture.server import Server
from immure.capture.settings import Settings
from immure.dumps.detect import parse_image
from immure.dumps.limits import Limits
from immure.errors import CaptureError
from immure.vault import Vault

from .helpers import MemoryVault, cores_to, crash_all, holder, needs_core_socket, sleepers, wait_until

PREFIXES = ["@", *(["@@"] if via_of_kernel() == "asking-socket" else [])]
SLEEPER = ("sleep", "600")


def settings_in(directory: Path, **more: object) -> Settings:
    places = {name: str(directory / name) for name in ("vault", "records", "spool", "runtime")}
    return Settings.from_json({**places, "margin": 1 << 20, **more})


@contextmanager
def serving(settings: Settings, journal: io.StringIO | None = None) -> Iterator[Server]:
    server = Server(settings, lambda rotated: keeper_of(settings, rotated=rotated), Journal(journal))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.wait_until_ready(30)
    try:
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A directory that needs no disk, if there is such a file system: sealing syncs each dump."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        yield Path(directory)


def all_seen(server: Server, count: int) -> None:
    wait_until(lambda: server.desk.counters.arrived >= count and not server.desk.counters.unaccounted, 60)


class TestReal:
    pytestmark = needs_core_socket

    @pytest.mark.parametrize("prefix", PREFIXES)
    def test_a_crash_is_sealed(self, tmp_path: Path, prefix: str) -> None:
        settings, journal = settings_in(tmp_path), io.StringIO()
        with serving(settings, journal) as server, sleepers(1) as [process]:
            with cores_to(settings.core_socket, prefix):
                crash_all([process])
                all_seen(server, 1)
            state = ask_state(settings.handle_socket)
        assert process.returncode == -signal.SIGABRT
        vault = Vault.open(settings.vault)
        [sealed] = vault.list()
        assert sealed.name.startswith(f"core.sleep.{process.pid}.")
        image = parse_image("core", vault.open_dump(sealed.id), Limits())
        with image:
            assert image.format == "elf-core"
            assert not image.missing
            assert image.process is not None
            assert (image.process.pid, image.process.signal) == (process.pid, signal.SIGABRT)
        assert state is not None
        [crash] = state["last"]
        assert (crash["id"], crash["size"], crash["signal"]) == (sealed.id, sealed.size, 6)
        assert (crash["comm"], crash["uid"], crash["truncated"]) == ("sleep", os.getuid(), False)
        assert crash["executable"].endswith("/sleep") or "sleep" in crash["executable"]
        assert [json.loads(line)["event"] for line in journal.getvalue().splitlines()] == [
            "serving", "captured", "stopped",
        ]  # fmt: skip
        [record] = (tmp_path / "records").iterdir()
        assert json.loads(record.read_text())["id"] == sealed.id

    def test_a_key_is_found_in_it(self, tmp_path: Path) -> None:
        canary = make_canary("ed25519")
        pem = canary.write(tmp_path)
        (tmp_path / "keys.json").write_text(json.dumps({"keys": [canary.public.to_jwk()]}))
        settings = settings_in(tmp_path, keys=[str(tmp_path / "keys.json")])
        code = f"import time; key = open({str(pem)!r}).read(); print('ready', flush=True); time.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        with serving(settings) as server:
            with cores_to(settings.core_socket):
                crash_all([process])
                all_seen(server, 1)
            [found] = server.desk.last[0]["scan"]["keys"]
        process.stdout.close()
        assert found["thumbprint"] == canary.public.thumbprint
        assert server.desk.counters.with_keys == 1

    @pytest.mark.parametrize(
        "more",
        [
            {"scan": False, "waiting": 256},
            {"scan": False, "waiting": 30, "reading": 2, "in_hand": 2, "workers": 1},
        ],
        ids=["room for all", "little room"],
    )
    def test_two_hundred_at_once_are_all_accounted_for(
        self, in_memory: Path, more: dict[str, object]
    ) -> None:
        settings = settings_in(in_memory, **more)
        with serving(settings) as server, sleepers(200) as processes:
            with cores_to(settings.core_socket):
                crash_all(processes)
                all_seen(server, 200)
            counters = server.desk.counters
            assert {process.returncode for process in processes} == {-signal.SIGABRT}
        assert counters.arrived == 200 == counters.captured + counters.dropped.total()
        assert counters.captured == len(Vault.open(settings.vault).list())
        assert set(counters.dropped) <= {"line-full"}
        if more["waiting"] == 256:
            assert counters.captured == 200
        else:
            assert counters.dropped["line-full"] > 0
        resources = server.desk.resources
        assert resources.memory.used == resources.disk.used == 0
        assert resources.memory.peak <= resources.memory.total

    def test_only_a_redacted_core_is_kept_and_handed_on(self, tmp_path: Path) -> None:
        canary = make_canary("p256")
        pem = canary.write(tmp_path)
        (tmp_path / "earlier").write_text(
            f"#!/bin/sh\necho $@ $(cat /proc/$1/comm) > {tmp_path}/words; cat > {tmp_path}/forwarded\n"
        )
        (tmp_path / "earlier").chmod(0o755)
        settings = settings_in(tmp_path, keep="redacted", forward_to=f"|{tmp_path}/earlier %P %s")
        code = f"import time; key = open({str(pem)!r}).read(); print('ready', flush=True); time.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        comm = Path(f"/proc/{process.pid}/comm").read_text().strip()
        pem.unlink()
        with serving(settings) as server, cores_to(settings.core_socket):
            crash_all([process])
            all_seen(server, 1)
        process.stdout.close()
        [crash] = server.desk.last
        assert (crash["outcome"], crash["redacted"], crash["note"]) == ("captured", True, None), crash
        vault = Vault.open(settings.vault)
        [sealed] = vault.list()
        with closing(vault.open_dump(sealed.id)) as reader:
            released = reader.read(0, sealed.size)
        assert (tmp_path / "forwarded").read_bytes() == released
        body = b"".join(canary.pem.reveal().splitlines()[1:-1])
        assert not [at for at in range(0, len(body) - 24, 8) if body[at : at + 24] in released]
        assert b"-immure-redacted-immure-redacted" in released
        # the process was held until the program had looked it up
        if via_of_kernel() == "asking-socket":
            assert (tmp_path / "words").read_text().split() == [str(process.pid), "6", comm]
        [record] = (tmp_path / "records").iterdir()
        redaction = json.loads(record.read_text())["redaction"]
        assert redaction["output"]["sha256"] == sealed.digest
        assert [finding["key"]["thumbprint"] for finding in redaction["findings"]] == [
            canary.public.thumbprint
        ]

    def test_memory_is_bounded_and_larger_cores_stream(self, tmp_path: Path) -> None:
        settings = settings_in(tmp_path, memory=8 << 20, scan=False)
        with (
            serving(settings) as server,
            holder(tmp_path, 64) as (process, marker),
            cores_to(settings.core_socket),
        ):
            crash_all([process])
            all_seen(server, 1)
        assert server.desk.counters.captured == 1
        assert server.desk.resources.memory.peak <= 8 << 20
        assert server.desk.resources.disk.peak >= 48 << 20
        vault = Vault.open(settings.vault)
        [sealed] = vault.list()
        assert vault.verify(sealed.id) == sealed
        reader = vault.open_dump(sealed.id)
        found = sum(reader.read(at, 1 << 20).count(marker) for at in range(0, sealed.size, 1 << 20))
        reader.close()
        assert found > (64 << 16) - 100

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"memory": 1 << 20, "disk": 1 << 20}, "disk-limit"),
            ({"max_size": 1 << 20}, "size"),
            ({"vault_limit": 1 << 20}, "vault-full"),
            ({"margin": 1 << 50}, "disk"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_limit_is_counted_and_the_process_released(
        self, tmp_path: Path, more: dict[str, object], reason: str
    ) -> None:
        settings = settings_in(tmp_path, **more)
        with (
            serving(settings) as server,
            holder(tmp_path, 16) as (process, _),
            cores_to(settings.core_socket),
        ):
            crash_all([process])  # returns: it is not held
            all_seen(server, 1)
        assert server.desk.counters.dropped == {reason: 1}
        assert Vault.open(settings.vault).list() == ()

    def test_the_oldest_capture_goes_to_make_room(self, tmp_path: Path) -> None:
        settings = settings_in(tmp_path, vault_limit=1 << 20, rotate=True, scan=False)
        with serving(settings) as server, sleepers(4) as processes, cores_to(settings.core_socket):
            for number, process in enumerate(processes, start=1):
                crash_all([process])
                all_seen(server, number)
        kept = Vault.open(settings.vault).list()
        assert sum(sealed.size for sealed in kept) <= 1 << 20
        assert server.desk.counters.rotated == 4 - len(kept) > 0
        assert kept[-1].name.startswith(f"core.sleep.{processes[-1].pid}.")

    def test_without_a_server_there_is_no_core(self, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        with serving(settings):
            pass
        with sleepers(1) as [process], cores_to(settings.core_socket):
            crash_all([process])
        assert process.returncode == -signal.SIGABRT
        assert sorted(path.name for path in tmp_path.iterdir()) == ["runtime", "spool", "vault"]

    def test_a_server_that_crashes_itself_does_not_wait_for_itself(self, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        (tmp_path / "c.toml").write_text(settings.to_toml())
        code = "from immure.cli.capture import capture; capture()"
        argv = [sys.executable, "-c", code, "serve", "-q", "-c", str(tmp_path / "c.toml")]
        process = subprocess.Popen(argv)
        wait_until(lambda: ask_state(settings.handle_socket) is not None)
        with cores_to(settings.core_socket):
            crash_all([process])
        assert process.returncode == -signal.SIGABRT
        assert Vault.open(settings.vault).list() == ()
        with serving(settings) as server:  # and a new one takes its place
            assert ask_state(settings.handle_socket) is not None
            assert server.desk.counters.arrived == 0


def test_somebody_else_on_the_core_socket_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with serving(settings) as server:
        code = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(1))"
        )
        argv = [sys.executable, "-c", code, str(settings.core_socket)]
        assert subprocess.run(argv, capture_output=True, timeout=30, check=True).stdout == b"b''\n"
        wait_until(lambda: server.desk.counters.refused == 1)
        with socket.socket(socket.AF_UNIX) as ourselves:
            ourselves.connect(str(settings.core_socket))
            assert ourselves.recv(1) == b""
        wait_until(lambda: server.desk.counters.refused == 2)
        assert server.desk.counters.arrived == 0


def test_one_server_at_a_time(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with serving(settings), pytest.raises(CaptureError, match="a server running already"):
        Server(settings, lambda _: Keeper("nothing", MemoryVault())).run()
    assert not settings.core_socket.exists()


def test_a_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    Path(settings.runtime).mkdir(mode=0o777)
    Path(settings.runtime).chmod(0o777)
    with pytest.raises(CaptureError, match="others can write there"):
        Server(settings, lambda _: Keeper("nothing", MemoryVault())).run()


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with serving(settings_in(tmp_path)):
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"
