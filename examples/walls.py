"""The second half of the demonstration: the same crash, with walls around it.

A dump is captured without a readable byte on a disk, redacted, proved, attested and released; and every
shorter way out is refused. ``demo.py`` runs this.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drill import crash

IMMURE = str(Path(sys.executable).with_name("immure"))
POLICY = """\
# What may leave production, and where to. Nothing else may.
version = 1

[signers]
keys = ["release.key.pub"]

[dump]
formats = ["elf-core"]
max_size = "4 GiB"
max_age = "7d"

[clearance]
max_age = "1d"

[search]
mode = "quick"
detectors = ["rsa", "montgomery", "ec", "structure"]
texts = ["tokens"]
keys = ["jwks.json"]

[[search.allow_not_searched]]
detector = "montgomery"
reason = "quick mode"
max_bytes = "4 GiB"

[proof]
checks = ["scan", "residue", "bytes"]

[destinations]
allow = ["file://{debugging}"]
"""
#: What only somebody who can read the dump would see.
MARKER = b"BaseHTTPRequestHandler"

Say = Callable[[str], None]


@dataclass
class Walls:
    """The directories of one demonstration, and the commands that work on them."""

    top: Path
    say: Say

    @property
    def debugging(self) -> Path:
        """Where engineers look at dumps."""
        return self.top / "debugging"

    def run(self, *arguments: str, expect: int = 0, show: bool = True) -> str:
        """Run immure as a user would, show it, and see that it ends as it should."""
        self.say(f"   $ immure {' '.join(arguments)}")
        done = subprocess.run([IMMURE, *arguments], cwd=self.top, capture_output=True, text=True, check=False)
        lines = [
            one for one in (done.stdout + done.stderr).splitlines() if not one.startswith("immure: note:")
        ]
        for line in lines if show else ():
            self.say(f"     {line}")
        if done.returncode != expect:
            raise SystemExit(f"   exit code {done.returncode} instead of {expect}: a bug.\n{done.stderr}")
        return done.stdout

    def prepare(self) -> None:
        """A vault, a key that signs clearances, one that signs the log, a policy."""
        self.debugging.mkdir()
        self.run("vault", "init", "vault", show=False)
        self.run("attest", "keygen", "release.key", show=False)
        self.run("attest", "keygen", "log.key", show=False)
        (self.top / "policy.toml").write_text(POLICY.format(debugging=self.debugging))

    def release(self, dump: str, *more: str, expect: int = 0) -> None:
        """Try to let a dump out."""
        log = ("--log", "log", "--log-key", "file:log.key", "--log-origin", "demo.example/log")
        rules = ("--to", str(self.debugging), "--policy", "policy.toml", "--vault", "vault")
        self.run("release", dump, *rules, *log, *more, expect=expect)

    def sealed(self) -> str:
        """The id of the dump in the vault."""
        argv = [IMMURE, "vault", "list", "vault", "--format", "json"]
        done = subprocess.run(argv, cwd=self.top, capture_output=True, check=True)
        return str(json.loads(done.stdout)[0]["id"])


@contextmanager
def capturing(walls: Walls) -> Iterator[None]:
    """The kernel hands cores to immure while this lasts."""
    socket = walls.top / "run" / "core.sock"
    options = ["--vault", "vault", "--runtime", "run", "--spool", "spool", "--records", "records", "--quiet"]
    for name in ("run", "spool", "records"):
        (walls.top / name).mkdir(mode=0o700)
    server = subprocess.Popen([IMMURE, "capture", "serve", *options], cwd=walls.top)
    try:
        _wait_for(socket, server)
        with crash.core_pattern(f"@{socket}"):
            yield
            _wait_until(lambda: any((walls.top / "vault" / "records").iterdir()))
    finally:
        server.terminate()
        server.wait(30)


def can_capture() -> bool:
    """Whether the kernel's cores are ours to have, and it sends them to sockets."""
    major, minor = re.findall(r"[0-9]+", Path("/proc/sys/kernel/osrelease").read_text())[:2]
    return crash.has_kernel_cores() and (int(major), int(minor)) >= (6, 16)


def _wait_for(socket: Path, server: subprocess.Popen[bytes]) -> None:
    _wait_until(lambda: socket.exists() or server.poll() is not None)
    if server.poll() is not None:
        raise SystemExit("   immure capture serve did not start: this is a bug.")


def _wait_until(done: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise SystemExit("   waited in vain: this is a bug.")
        time.sleep(0.05)


def readable_on_disk(top: Path) -> list[str]:
    """Files in which somebody without keys could read the dump."""
    return [str(path) for path in top.rglob("*") if path.is_file() and MARKER in path.read_bytes()]


def seal(walls: Walls, core: Path) -> str:
    """For want of a kernel that hands cores over: put one into the vault that was taken otherwise."""
    walls.run("vault", "seal", "vault", str(core), show=False)
    return "The kernel's cores are not ours to have here (Linux 6.16, root): the core from before is sealed."


def crash_into_the_vault(walls: Walls, target: crash.Target) -> str:
    """End the signer while immure captures cores."""
    with capturing(walls):
        target.process.send_signal(6)
        target.process.wait(60)
    return "The kernel has handed its core to immure, which sealed it while it came."


def act(walls: Walls, step: Callable[[str], None]) -> None:
    """From a dump in the vault to one that may be looked at."""
    say = walls.say
    walls.run("vault", "list", "vault")
    if found := readable_on_disk(walls.top / "vault"):
        raise SystemExit(f"   readable on the disk: {found}: this is a bug.")
    say("   Nothing readable of it is on a disk.")

    step("Somebody wants to have a look at it, and moves it to the debugging environment as it is.")
    sealed = walls.sealed()
    walls.release(sealed, "--name", "signer.core", "--clearance", "none.json", expect=1)

    step("So it is redacted first. immure finds the keys, erases every piece of them, and proves it.")
    keys = ("--keys", "jwks.json", "--also", "tokens")
    walls.run("redact", sealed, "--vault", "vault", "-o", "redacted.core", *keys)

    step("The redacted dump is clean. It does not leave without a clearance all the same.")
    walls.release("redacted.core", expect=1)

    step("The record of the redaction is signed. Now it may leave.")
    signed = ("--subject", "redacted.core", "--key", "file:release.key", "-o", "redacted.core.intoto.json")
    walls.run("attest", "sign", "redacted.core.redaction.json", *signed)
    walls.release("redacted.core")

    step("One byte is changed on the way, and the clearance kept.")
    changed = bytearray((walls.top / "redacted.core").read_bytes())
    changed[-1] ^= 1
    (walls.top / "changed.core").write_bytes(changed)
    walls.release("changed.core", "--clearance", "redacted.core.intoto.json", expect=1)

    step("What was decided stands in a log that cannot be changed unnoticed.")
    walls.run("log", "verify", "log", "--key", "log.key.pub")
    released = str(walls.debugging / "redacted.core")
    walls.run("scan", released, "--keys", "jwks.json", "--fail-on", "findings", "--quiet")
