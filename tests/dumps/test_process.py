"""Live processes, and dumps of processes that really ran."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.dumps import Image, open_image
from immure.errors import ImageError

from .helpers import assert_regions_hold

pytestmark = pytest.mark.real

MARKER = b"immure test marker 7c41"
PROGRAM = f"""
import mmap, threading, time
halves = ({MARKER[:12]!r}, {MARKER[12:]!r})
keep = [b"".join(halves) for _ in range(3)]
wide = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
wide[600 << 20 : (600 << 20) + {len(MARKER)}] = keep[0]
for _ in range(2):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def find(image: Image, wanted: bytes) -> list[int]:
    found = []
    for start, stop in image.reader.extents(0, image.reader.size or 0):
        for piece in range(start, stop, 1 << 24):
            content = image.reader.read(piece, min((1 << 24) + len(wanted), stop - piece))
            found += [piece + match.start() for match in re.finditer(re.escape(wanted), content)]
    return found


def maps(pid: int) -> list[tuple[int, int, str]]:
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, stop = (int(address, 16) for address in line.split()[0].split("-"))
        found.append((start, stop, line[73:].strip()))
    return found


def test_live_process(child):
    with open_image(f"pid:{child.pid}") as image:
        assert image.format == "process"
        assert image.process.pid == child.pid
        assert len(image.process.threads) == 3
        assert "keep" in image.process.command_line
        assert image.missing == ()
        assert not any(region.name.startswith("[vv") for region in image.regions)
        places = find(image, MARKER)
        assert len(places) >= 2
        names = {image.region_at(place).name for place in places}
        assert names & {"[heap]", "anonymous"}
        for place in places:
            assert image.address_of(place) == place
        known = {start: name for start, _, name in maps(child.pid)}
        for region in image.regions:
            if known.get(region.address):
                expected = known[region.address].replace("[stack]", f"[stack] of thread {child.pid}")
                assert region.name == expected


def test_untouched_memory_of_a_live_process_costs_nothing(child):
    with open_image(f"pid:{child.pid}") as image:
        wide = max(image.regions, key=lambda region: region.length)
        assert wide.length >= 1 << 30
        extents = list(image.reader.extents(wide.offset, wide.end))
        if extents == [(wide.offset, wide.end)]:
            pytest.skip("NOT TESTED: no permission to read pagemap")
        assert sum(stop - start for start, stop in extents) < 8 << 20
        assert any(start <= wide.offset + (600 << 20) < stop for start, stop in extents)


def test_a_process_that_exits_gives_short_reads(child):
    with open_image(f"pid:{child.pid}") as image:
        region = image.regions[0]
        assert len(image.reader.read(region.offset, 100)) == 100
        child.kill()
        child.wait()
        assert image.reader.read(region.offset, 100) == b""
        list(image.reader.extents(0, image.reader.size))
    with pytest.raises(ImageError, match=f"there is no process {child.pid}"):
        open_image(f"pid:{child.pid}")


def test_a_kernel_thread_has_no_memory():
    threads = [pid for pid in os.listdir("/proc") if pid.isdigit() and is_kernel_thread(pid)]
    if not threads:
        pytest.skip("NOT TESTED: no kernel threads are visible here")
    with pytest.raises(ImageError, match=r"has no memory|no permission"):
        open_image(f"pid:{threads[0]}")


def is_kernel_thread(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/maps").read_bytes() == b""
    except OSError:
        return False


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="NOT TESTED: needs root and setpriv"
)
def test_without_permission(child):
    code = f"from immure.dumps import open_image; open_image('pid:{child.pid}')"
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    if b"ModuleNotFoundError" in done.stderr or b"can't open" in done.stderr or done.returncode == 127:
        pytest.skip("NOT TESTED: the interpreter is not readable for others")
    assert b"no permission to read the memory of process" in done.stderr


@pytest.mark.skipif(not shutil.which("gcore"), reason="NOT TESTED: needs gcore (gdb)")
def test_core_of_a_real_process(child, tmp_path):
    subprocess.run(["gcore", "-o", tmp_path / "core", str(child.pid)], check=True, capture_output=True)
    known = maps(child.pid)
    with open_image(tmp_path / f"core.{child.pid}") as image:
        assert image.format == "elf-core"
        assert image.missing == ()
        assert_regions_hold(image)
        assert image.process.pid == child.pid
        assert len(image.process.threads) == 3
        named = {"[heap]", "[vdso]", "[vsyscall]"}
        for region in image.regions:
            mapping = [name for start, stop, name in known if start <= (region.address or 0) < stop]
            if mapping and (mapping[0].startswith("/") or mapping[0] in named):
                assert region.name == mapping[0]
            elif mapping and mapping[0] == "[stack]":
                assert region.name == f"[stack] of thread {child.pid}"
        stacks = {region.name for region in image.regions if region.name.startswith("[stack]")}
        assert len(stacks) == 3
        assert any(region.name == "[heap]" for region in image.regions)
        assert len(find(image, MARKER)) >= 2


def crash(tmp_path: Path) -> Path | None:
    """A core written by the kernel into ``tmp_path``, or None if this machine does not write them there."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "@", "/")):
        return None
    code = "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); os.abort()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    time.sleep(0.1)
    return next(tmp_path.glob("core*"), None)


def test_core_that_the_kernel_wrote(tmp_path):
    core = crash(tmp_path)
    if core is None:
        pytest.skip("NOT TESTED: the kernel does not write cores into the working directory here")
    with open_image(core) as image:
        assert image.process.signal == 6
        assert image.missing == ()
        assert_regions_hold(image)
        names = {region.name for region in image.regions}
        assert "[heap]" in names
        assert any("left out when the core was written, as is usual" in warning for warning in image.warnings)


JAVA = """
import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;

public class Dump {
    static final byte[] MARK = "immure test marker 7c41".getBytes();

    public static void main(String[] arguments) throws Exception {
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(arguments[0], true);
    }
}
"""


@pytest.mark.skipif(not shutil.which("java"), reason="NOT TESTED: needs a Java development kit")
def test_heap_dump_of_a_real_virtual_machine(tmp_path):
    (tmp_path / "Dump.java").write_text(JAVA)
    command = ["java", tmp_path / "Dump.java", tmp_path / "heap.hprof"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"NOT TESTED: this Java cannot run a source file: {done.stderr[:200]}")
    with open_image(tmp_path / "heap.hprof") as image:
        assert image.format == "hprof"
        assert image.missing == image.warnings == ()
        assert_regions_hold(image)
        assert "heap" in {image.region_at(place).name for place in find(image, MARKER)}
