"""What a stack of the drill is, and how its program is built and started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drill import crash
from drill.keys import DrillKey

PROGRAMS = Path(__file__).parent / "stacks"
CACHE = Path(__file__).parents[2] / ".make" / "drill"
SBIN = "/usr/sbin"  # sshd and nginx are there, and not everybody has it on the PATH


@dataclass(frozen=True)
class Scene:
    """One run of a stack: where its files are, and whether it holds private keys or only verifies."""

    directory: Path
    keys: tuple[DrillKey, ...]
    signs: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its keys."""
        return tuple(key.kind for key in self.keys)


@dataclass(frozen=True)
class Stack:
    """A way in which real services sign.

    Attributes:
        name: short and unique.
        start: starts the program; it has signed with (or verified against) every key when this returns.
        kinds: the kinds of key that it can use.
        tools: executables that it needs. ``modules``: Python modules. ``files``: headers, npm packages.
        apt, pypi, npm: the packages that bring these.
        heap_dump: also take an HPROF heap dump.
        refuses_core: the process forbids the kernel to dump it, so only the debugger's image exists.
    """

    name: str
    start: Callable[[Scene], crash.Target]
    kinds: tuple[str, ...] = ("rsa", "p256", "ed25519")
    tools: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    pypi: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    heap_dump: bool = False
    refuses_core: bool = False
    has_control: bool = True

    def missing(self) -> list[str]:
        """What this machine lacks to run it."""
        lacking = [tool for tool in self.tools if find_tool(tool) is None]
        lacking += [name for name in self.modules if importlib.util.find_spec(name) is None]
        return lacking + [name for name in self.files if not _has_file(name)]


def find_tool(name: str) -> str | None:
    """The path of an executable."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + SBIN)


def tool(name: str) -> str:
    """The path of an executable that must be there."""
    path = find_tool(name)
    if path is None:
        raise crash.DrillError(f"{name} is not installed")
    return path


def _has_file(name: str) -> bool:
    if name.startswith("npm:"):
        return (CACHE / "npm" / "node_modules" / name.removeprefix("npm:")).is_dir()
    return Path(name).exists()


def python(program: str) -> Callable[[Scene], crash.Target]:
    """A stack that is a Python program."""

    def start(scene: Scene) -> crash.Target:
        return _run([sys.executable, str(PROGRAMS / f"{program}.py")], scene, "sign", "verify")

    return start


def node(program: str, sign: str = "sign", verify: str = "verify") -> Callable[[Scene], crash.Target]:
    """A stack that is a Node program."""

    def start(scene: Scene) -> crash.Target:
        env = {"NODE_PATH": str(CACHE / "npm" / "node_modules")}
        return _run(["node", str(PROGRAMS / f"{program}.js")], scene, sign, verify, env)

    return start


def go(sign: str = "sign") -> Callable[[Scene], crash.Target]:
    """A stack that is the Go program."""

    def start(scene: Scene) -> crash.Target:
        binary = build(PROGRAMS / "signer.go", "signer-go", lambda s, o: ["go", "build", "-o", o, s])
        return _run([str(binary)], scene, sign, "verify", {"GOTRACEBACK": "crash"})

    return start


def java(sign: str = "sign") -> Callable[[Scene], crash.Target]:
    """A stack that is the Java program. The heap is kept small, since a debugger writes all that is
    reserved."""

    def start(scene: Scene) -> crash.Target:
        classes = build(PROGRAMS / "Signer.java", "signer-java", lambda s, o: ["javac", "-d", o, s])
        argv = ["java", "-Xmx192m", "-XX:ReservedCodeCacheSize=48m", "-cp", str(classes), "Signer"]
        return _run(argv, scene, sign, "verify")

    return start


def native(source: str, *flags: str, sign: str = "sign") -> Callable[[Scene], crash.Target]:
    """A stack that is a C or C++ program."""

    def start(scene: Scene) -> crash.Target:
        compiler = ["c++", "-std=c++20"] if source.endswith(".cpp") else ["cc", "-std=c17"]
        name = source.replace(".", "-")
        binary = build(PROGRAMS / source, name, lambda s, o: [*compiler, "-O1", "-o", o, s, *flags])
        return _run([str(binary)], scene, sign, "verify")

    return start


def build(source: Path, name: str, command: Callable[[str, str], list[str]]) -> Path:
    """The program made from ``source``, kept until the source changes."""
    target = CACHE / "build" / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            command(str(source), str(target)), capture_output=True, check=False, timeout=300
        )
        if done.returncode:
            raise crash.DrillError(
                f"{source.name} does not build: {done.stderr.decode(errors='replace')[-2000:]}"
            )
        os.utime(target)
    return target


def _run(
    argv: list[str], scene: Scene, sign: str, verify: str, env: dict[str, str] | None = None
) -> crash.Target:
    mode = sign if scene.signs else verify
    return crash.start([*argv, mode, str(scene.directory), *scene.kinds], scene.directory, env=env)
