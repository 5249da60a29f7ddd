"""OpenSSH and GnuPG: daemons that hold a key and sign for others."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from drill import crash
from drill.launch import Scene, tool
from drill.tls import until

SIGNATURES = 40


def _quiet(argv: list[str], **more: object) -> None:
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise crash.DrillError(f"{argv[0]}: {(done.stderr or done.stdout).decode(errors='replace')[-500:]}")


@contextlib.contextmanager
def _stopped_on_error(target: crash.Target) -> Iterator[crash.Target]:
    try:
        yield target
    except BaseException:
        target.stop()
        raise


def ssh_agent(scene: Scene) -> crash.Target:
    """ssh-agent holds the keys and signs for ssh-keygen. It asks the kernel not to dump it."""
    path = scene.directory / "agent.sock"
    argv = [tool("ssh-agent"), "-D", "-a", str(path)]
    with _stopped_on_error(crash.start(argv, scene.directory, wait_for_ready=False)) as target:
        until(path.exists, "ssh-agent")
        env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        for kind in scene.kinds:
            public = scene.directory / f"{kind}.openssh.pub"
            if not scene.signs:  # it has no use for a public key, but can be asked for one that it lacks
                subprocess.run(
                    ["ssh-add", "-T", str(public)], env=env, capture_output=True, check=False, timeout=30
                )
                continue
            _quiet(["ssh-add", "-q", str(scene.directory / f"{kind}.openssh")], env=env)
            for _ in range(SIGNATURES):
                _quiet(
                    ["ssh-keygen", "-Y", "sign", "-n", "drill", "-f", str(public)], env=env, input=b"token"
                )
        return target


SSHD = """
ListenAddress 127.0.0.1
Port {port}
PidFile none
StrictModes no
UsePAM no
LoginGraceTime 0
MaxStartups 100
PerSourcePenalties no
{host_keys}
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _sshd(scene: Scene) -> tuple[crash.Target, socket.socket]:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it will not start without
    port = _free_port()
    lines = [f"HostKey {scene.directory}/{kind}.openssh" for kind in scene.kinds]
    config = scene.directory / "sshd_config"
    config.write_text(SSHD.format(port=port, host_keys="\n".join(lines)))
    argv = [tool("sshd"), "-D", "-e", "-f", str(config)]
    with _stopped_on_error(crash.start(argv, scene.directory, wait_for_ready=False)) as target:
        until(lambda: "Server listening" in target.log.read_text(errors="replace"), "sshd")
        for kind in scene.kinds:
            _scan(port, {"rsa": "rsa", "p256": "ecdsa", "ed25519": "ed25519"}[kind])
        return target, _hold_session(scene, port, target)


def _scan(port: int, kind: str) -> None:
    """Have the server sign a key exchange with one of its host keys."""
    for _ in range(5):
        _quiet([tool("ssh-keyscan"), "-T", "10", "-p", str(port), "-t", kind, "127.0.0.1"])


def _hold_session(scene: Scene, port: int, target: crash.Target) -> socket.socket:
    """A client that has exchanged keys, waits to be asked for a password, and stays there."""
    ours, theirs = socket.socketpair()
    options = ["StrictHostKeyChecking=no", f"UserKnownHostsFile={os.devnull}", "BatchMode=no"]
    argv = [
        tool("ssh"),
        "-F",
        os.devnull,
        "-p",
        str(port),
        *(p for option in options for p in ("-o", option)),
    ]
    ask = scene.directory / "ask"
    ask.write_text("#!/bin/sh\nexec sleep 300\n")
    ask.chmod(0o755)
    env = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    argv += ["drill@127.0.0.1", "true"]
    client = subprocess.Popen(
        argv,
        env=env,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    theirs.close()

    def close() -> None:
        os.killpg(client.pid, 9)  # the client and the script that answers for it: a session of our own
        client.wait(timeout=20)

    target.closers.append(close)
    until(lambda: crash.children(target.pid), "sshd session")
    return ours


def sshd_listener(scene: Scene) -> crash.Target:
    """The sshd process that holds the host keys and waits for connections."""
    target, held = _sshd(scene)
    target.closers.append(held.close)
    return target


def sshd_session(scene: Scene) -> crash.Target:
    """The privileged sshd process of one connection, which has just signed the key exchange."""
    target, held = _sshd(scene)
    target.closers.append(held.close)
    target.pid = crash.children(target.pid)[-1]
    return target


def gpg_agent(scene: Scene) -> crash.Target:
    """gpg-agent reads unprotected keys from its store and signs digests."""
    home = scene.directory / "gnupg"
    (home / "private-keys-v1.d").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    grips = {kind: f"{index:02X}" * 20 for index, kind in enumerate(scene.kinds, start=1)}
    if scene.signs:
        for kind, grip in grips.items():
            shutil.copy(scene.directory / f"{kind}.sexp", home / "private-keys-v1.d" / f"{grip}.key")
    env = {"GNUPGHOME": str(home)}
    argv = [tool("gpg-agent"), "--homedir", str(home), "--server"]
    with _stopped_on_error(crash.start(argv, scene.directory, env=env, wait_for_ready=False)) as target:
        say = _Assuan(target)
        for kind, grip in grips.items():
            for _ in range(SIGNATURES):
                _sign_with_gpg_agent(say, kind, grip, scene.signs)
        return target


class _Assuan:
    """The line protocol that gpg-agent speaks on its standard input and output."""

    def __init__(self, target: crash.Target) -> None:
        self.target = target
        self._answer()

    def __call__(self, line: str, *, may_fail: bool = False) -> None:
        stdin = self.target.process.stdin
        assert stdin is not None
        stdin.write(line.encode() + b"\n")
        stdin.flush()
        answer = self._answer()
        if answer.startswith(b"ERR") and not may_fail:
            raise crash.DrillError(f"gpg-agent: {line.split()[0]}: {answer!r}")

    def _answer(self) -> bytes:
        stdout = self.target.process.stdout
        assert stdout is not None
        while True:
            line = stdout.readline()
            if not line or line.startswith((b"OK", b"ERR")):
                return line
            if line.startswith(b"INQUIRE"):
                stdin = self.target.process.stdin
                assert stdin is not None
                stdin.write(b"END\n")
                stdin.flush()


def _sign_with_gpg_agent(say: _Assuan, kind: str, grip: str, signs: bool) -> None:
    say("RESET")
    say(f"SIGKEY {grip}", may_fail=not signs)
    say("SETHASH --hash=sha512 " + "5A" * 64 if kind == "ed25519" else "SETHASH --hash=sha256 " + "5A" * 32)
    say("PKSIGN", may_fail=not signs)
