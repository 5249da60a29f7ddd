"""The native half's protections, tried from within: a process that has them does what it must not."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = """
import mmap, os, resource, socket, sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
sys.path.append(sys.argv[2])
loader = ExtensionFileLoader("_native", sys.argv[1])
native = module_from_spec(ModuleSpec("_native", loader, origin=sys.argv[1]))
loader.exec_module(native)
lib = native.lib
directory = os.open(sys.argv[3], os.O_RDONLY)
assert lib.kh_arena(5 << 20, 0) > 0
assert lib.kh_arena(5 << 20, 0) == -1
assert lib.kh_crypto() == 0, native.ffi.string(lib.kh_words())
assert lib.kh_workers(0) == lib.kh_workers(99) == -1
{before}
assert lib.kh_harden() == 0
landlock = lib.kh_landlock(directory)
assert lib.kh_workers(2) == 0
assert lib.kh_seccomp() == 0, native.ffi.string(lib.kh_words())
try:
    {action}
except OSError as error:
    print(type(error).__name__)
else:
    print("done")
sys.stdout.flush()
os._exit(42 if landlock else 0)
"""
KILLED = -signal.SIGSYS


def start(text: str, where: Path) -> subprocess.CompletedProcess[str]:
    native, backend = find_spec("immure.custody.keyholder._native"), find_spec("_cffi_backend")
    arguments = [native.origin, str(Path(backend.origin).parent), str(where)]
    command = [sys.executable, "-I", "-S", "-c", text, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=where)


def run(action: str, where: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    done = start(PROGRAM.replace("{action}", action).replace("{before}", before), where)
    if done.returncode == 42:
        pytest.skip("NOT TESTED: this kernel has no Landlock")
    return done


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("open(sys.argv[3] + '/new', 'w').close()", 0, "done"),
        ("os.rename(sys.argv[3] + '/there', sys.argv[3] + '/moved')", 0, "done"),
        ("os.urandom(8)", 0, "done"),
        ("print(os.getpid() > 0)", 0, "True"),
        ("open('/etc/hostname').close()", 0, "PermissionError"),
        ("open('/tmp/somewhere-else', 'w').close()", 0, "PermissionError"),
        ("os.listdir('/')", 0, "PermissionError"),
        ("os.fork()", 0, "PermissionError"),
        ("mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)", 0, "PermissionError"),
        ("os.kill(os.getpid(), 0)", 0, "PermissionError"),
        ("os.setpriority(os.PRIO_PROCESS, 0, 5)", 0, "PermissionError"),
        ("os.chmod(sys.argv[3] + '/there', 0o777)", 0, "PermissionError"),
        ("os.symlink('/etc/passwd', sys.argv[3] + '/link')", 0, "PermissionError"),
        ("os.execv('/bin/true', ['true'])", KILLED, ""),
        ("socket.socket()", KILLED, ""),
        ("socket.socket(socket.AF_UNIX)", KILLED, ""),
    ],
)
def test_what_is_left_and_what_is_not(action, code, words, tmp_path):
    (tmp_path / "there").write_text("")
    done = run(action, tmp_path)
    assert (done.returncode, done.stdout.split()[:1]) == (code, words.split()), done.stderr


def test_it_leaves_no_core(tmp_path):
    done = run("print(lib.kh_is_dumpable())", tmp_path, "os.kill(os.getpid(), 0)")
    assert done.stdout.split()[:1] == ["0"], done.stderr
    done = run("native.ffi.cast('int *', 8)[0]", tmp_path)  # a crash
    assert done.returncode == -signal.SIGSEGV
    assert not list(Path(tmp_path).glob("core*"))


EARLY = """
import hashlib
hashlib.new("sha256", b"x").hexdigest()
shared = "libcrypto.so.3" in open("/proc/self/maps").read()
"""


def test_libcrypto_must_not_have_been_used(tmp_path):
    """Its memory can be moved only before that; then the holder does not start, and says why."""
    text = EARLY + PROGRAM.split("assert lib.kh_crypto()")[0] + "print(shared, lib.kh_crypto())"
    done = start(text, tmp_path)
    assert done.stdout.split() in (["True", "-1"], ["False", "0"]), done.stderr
