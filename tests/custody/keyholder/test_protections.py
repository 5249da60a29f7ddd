"""What the holder's process gave up, seen from outside; and what root finds in its memory."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import immure
from custody import keys as files
from immure.custody import open_signer
from immure.custody.keyholder import KeyHolder
from immure.custody.keyholder.errors import HolderError

from .conftest import KIDS
from .making import CHEAP, PIN, claims, rules

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TESTED: only root can look into another user's process"
)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_what_it_says_is_what_the_kernel_says(holder, store):
    said = holder.status()
    protections, seen = said["protections"], status_of(holder.pid)
    assert said["role"] == "sign"
    assert protections["dumps"] == "none: not dumpable, no core"
    assert (protections["system_calls"] == "filtered") == (seen["Seccomp"] == "2")
    assert seen["NoNewPrivs"] == "1"
    assert (protections["debuggers"] == "kept out by the guard") == (seen["TracerPid"] != "0")
    if os.geteuid() == 0:
        owner = str(store.parent.stat().st_uid)
        assert seen["Uid"].split() == [owner] * 4
        assert protections["user"] == f"its own: {owner}"
        assert seen["Groups"] == ""
        assert int(seen["CapEff"], 16) == int(seen["CapPrm"], 16) == 0
        assert Path(f"/proc/{holder.pid}/environ").read_bytes() == b""
        limits = Path(f"/proc/{holder.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


@as_root
def test_it_has_nothing_of_the_front_end(holder):
    maps = Path(f"/proc/{holder.pid}/maps").read_text()
    assert "cryptography" not in maps
    assert "/_ssl" not in maps
    secret = [line for line in maps.splitlines() if "secretmem" in line]
    assert secret or holder.status()["protections"]["memory"] != "memfd_secret"
    targets = [os.readlink(f"/proc/{holder.pid}/fd/{name}") for name in os.listdir(f"/proc/{holder.pid}/fd")]
    assert not [one for one in targets if "pin" in one]
    assert len(targets) < 12


@as_root
def test_the_stacks_of_its_threads_are_in_secret_memory(holder):
    if holder.status()["protections"]["memory"] != "memfd_secret":
        pytest.skip("NOT TESTED: this kernel has no memfd_secret")
    ranges = []
    for line in Path(f"/proc/{holder.pid}/maps").read_text().splitlines():
        if "secretmem" in line:
            begin, end = line.split()[0].split("-")
            ranges.append((int(begin, 16), int(end, 16)))
    others = [name for name in os.listdir(f"/proc/{holder.pid}/task") if name != str(holder.pid)]
    assert len(others) == holder.status()["threads"]
    for name in others:
        stack = int(Path(f"/proc/{holder.pid}/task/{name}/stat").read_text().split(")")[1].split()[26])
        fields = Path(f"/proc/{holder.pid}/task/{name}/syscall").read_text().split()
        pointer = int(fields[-2], 16) if len(fields) > 2 else stack
        assert any(begin <= pointer < end for begin, end in ranges)


def gcore(pid: int, where: Path) -> Path | None:
    if shutil.which("gcore") is None:
        pytest.skip("NOT TESTED: gcore is not installed; it comes with gdb")
    subprocess.run(["gcore", "-o", str(where / "g"), str(pid)], capture_output=True, timeout=120, check=False)
    made = where / f"g.{pid}"
    return made if made.exists() else None


@as_root
def test_no_debugger_gets_in(holder, tmp_path):
    if holder.status()["protections"]["debuggers"] != "kept out by the guard":
        pytest.skip("NOT TESTED: this machine does not let a process trace another")
    assert gcore(holder.pid, tmp_path) is None
    assert holder.sign_token("es", claims())


def test_who_kills_the_guard_kills_the_holder(path):
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        tracer = int(status_of(holder.pid)["TracerPid"])
        if tracer == 0:
            pytest.skip("NOT TESTED: this machine does not let a process trace another")
        assert status_of(tracer)["Name"] == "immure-guard"
        if os.geteuid() == 0:
            assert status_of(tracer)["Uid"] == status_of(holder.pid)["Uid"]
        pid = holder.pid
        os.kill(tracer, signal.SIGKILL)
        while holder._link.is_open:
            time.sleep(0.005)
        assert holder.list() == {}
        assert holder.pid != pid


def test_calls_that_are_filtered(holder):
    """The filter is the kernel's; what is tested is that it is on for every thread."""
    if holder.status()["protections"]["system_calls"] != "filtered":
        pytest.skip("NOT TESTED: this kernel does not filter system calls")
    for name in os.listdir(f"/proc/{holder.pid}/task"):
        text = Path(f"/proc/{holder.pid}/task/{name}/status").read_text()
        assert re.search(r"Seccomp:\t2", text)


def test_without_a_guard_it_says_so(path):
    with KeyHolder.create(path, [PIN], **CHEAP, guard=False) as holder:
        assert holder.status()["protections"]["debuggers"].startswith("not kept out")
        assert status_of(holder.pid)["TracerPid"] == "0"


class Load:
    """Signatures by all keys all the while."""

    def __init__(self, holder: KeyHolder, kids: list[str]) -> None:
        self._holder, self._kids, self._stop = holder, kids, threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(kid,)) for kid in kids]

    def _run(self, kid: str) -> None:
        while not self._stop.is_set():
            try:
                self._holder.sign_tokens(kid, [claims()] * 50)
            except HolderError:
                time.sleep(0.01)

    def __enter__(self) -> Load:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()


#: Private numbers that tests know, because the keys were imported.
def secrets_of(kind: str) -> list[bytes]:
    """Pieces of 16 bytes of the secret numbers of a key, in both byte orders: both ends, and the middle."""
    private = files.key(kind)
    if kind.startswith("RSA"):
        numbers = private.private_numbers()
        values = [numbers.p, numbers.q, numbers.d]
    elif kind == "Ed25519":
        return [private.private_bytes_raw()[at : at + 16] for at in (0, 8, 16)]
    else:
        values = [private.private_numbers().private_value]
    found = []
    for value in values:
        size = (value.bit_length() + 63) // 64 * 8
        for order in ("little", "big"):
            data = value.to_bytes(size, order)
            found += [data[at : at + 16] for at in (0, size // 2, size - 16)]
    return found


def readable_memory(pid: int) -> bytes:
    """All that root gets out of a live process."""
    out = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split()
            begin, end = (int(part, 16) for part in fields[0].split("-"))
            if "r" not in fields[1] or fields[-1] in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            try:
                memory.seek(begin)
                out.append(memory.read(end - begin))
            except OSError:
                continue
    return b"".join(out)


KINDS = {"RSA-2048": "RS256", "P-256": "ES256", "Ed25519": "EdDSA"}


@as_root
@pytest.mark.parametrize("guard", [True, False])
def test_no_piece_of_a_known_key_is_in_what_root_can_read(path, tmp_path, guard):
    """Keys whose numbers are known, under load; live memory, and a core by gcore where it gets in."""
    with KeyHolder.create(path, [PIN], **CHEAP, guard=guard) as holder:
        if holder.status()["protections"]["memory"] != "memfd_secret":
            pytest.skip("NOT TESTED: this kernel has no memfd_secret")
        for kind, algorithm in KINDS.items():
            source = files.write_key(tmp_path / kind, files.private_bytes(kind))
            holder.import_key(kind, rules(algorithm), source)
        with Load(holder, list(KINDS)):
            images = [readable_memory(holder.pid)]
            core = gcore(holder.pid, tmp_path)
            assert (core is None) == guard
            if core is not None:
                images.append(core.read_bytes())
        for image in images:
            assert len(image) > 5 << 20
            assert b"immure.custody.keyholder" in image  # it is this process's memory
            for kind in KINDS:
                assert not [piece for piece in secrets_of(kind) if piece in image]
            assert PIN.encode() not in image


@as_root
def test_the_search_above_would_find_them(tmp_path):
    """The same search, of a process that has the key: this one."""
    key = files.key("P-256")
    image = readable_memory(os.getpid())
    assert any(piece in image for piece in secrets_of("P-256"))
    del key


def public_keys(holder: KeyHolder) -> list[immure.keymaterial.key.PublicKey]:
    return [holder.find(kid).public for kid in KIDS.values()]


@as_root
@pytest.mark.drill
def test_a_scan_of_the_live_holder_finds_nothing(holder):
    with Load(holder, list(KIDS.values())):
        report = immure.scan_report([f"pid:{holder.pid}"], keys=public_keys(holder))
    assert [image.findings for image in report.images] == [()] or not any(
        image.findings for image in report.images
    )


FRONT = """
import os, sys, threading, time
from pathlib import Path
from immure.custody import open_signer
signer = open_signer(sys.argv[1])
message = b"DSSEv1 1 a 1 b"
threading.Thread(target=lambda: [signer.sign(message) for _ in iter(int, 1)], daemon=True).start()
time.sleep(0.3)
print("ready", flush=True)
time.sleep(60)
"""


def front_end(uri: str, tmp_path: Path) -> subprocess.Popen[bytes]:
    import sys

    limits = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)  # noqa: E731
    started = subprocess.Popen(
        [sys.executable, "-c", FRONT, uri], stdout=subprocess.PIPE, cwd=tmp_path, preexec_fn=limits
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


def picture(started: subprocess.Popen[bytes], way: str, tmp_path: Path) -> Path:
    """A core of that process, by a debugger or by the kernel; the process is gone after it."""
    try:
        core = gcore(started.pid, tmp_path) if way == "gcore" else None
    finally:
        os.kill(started.pid, signal.SIGKILL if way == "gcore" else getattr(signal, way))
        started.wait()
    if way != "gcore":
        core = next(
            (tmp_path / name for name in ("core", f"core.{started.pid}") if (tmp_path / name).exists()), None
        )
    if core is None:
        pytest.skip(f"NOT TESTED: no core by {way} here (core_pattern, or a debugger that is not let in)")
    return core


def findings(core: Path, key: immure.keymaterial.key.PublicKey) -> int:
    return len(list(immure.scan(core, keys=key)))


@pytest.mark.real
@pytest.mark.drill
def test_a_core_of_the_front_end_is_clean_and_that_of_an_unsafe_one_is_not(copied, tmp_path):
    """The front end is pictured while it signs; with ``file+unsafe:`` the same picture has the key in it."""
    pin = files.write_key(tmp_path / "pin", PIN.encode())
    source = files.write_key(tmp_path / "key", files.private_bytes("P-256"))
    counts = {}
    for uri in (f"keyholder:{copied}?key=st&purpose=statement&pin-source={pin}", f"file+unsafe:{source}"):
        with open_signer(uri) as signer:
            public = signer.public
        for way in ("gcore", "SIGSEGV", "SIGABRT"):
            core = picture(front_end(uri, tmp_path), way, tmp_path)
            counts[uri.partition(":")[0], way] = findings(core, public)
            assert PIN.encode() not in core.read_bytes()
            core.unlink()
    assert {count == 0 for (scheme, _), count in counts.items() if scheme == "keyholder"} == {True}
    assert {count > 0 for (scheme, _), count in counts.items() if scheme == "file+unsafe"} == {True}
