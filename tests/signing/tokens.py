"""PKCS#11 tokens for tests: SoftHSM2 in a process of its own, behind ``p11-kit server``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from custody.softhsm import find_library, missing

CLIENTS = (
    "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
    "/usr/lib64/pkcs11/p11-kit-client.so",
)
PIN = "135-grün"
CLIENT = next((path for path in CLIENTS if os.path.exists(path)), None)


def why_not() -> str | None:
    """Why there can be no such token here."""
    if reason := missing():
        return reason
    if shutil.which("p11-kit") is None or CLIENT is None:
        return "p11-kit with its client module is not installed (Debian: p11-kit, p11-kit-modules)"
    return None


class RemoteTokens:
    """Tokens of SoftHSM2 that a server lends; one for each label."""

    def __init__(self, directory: Path, *labels: str) -> None:
        self.socket = directory / "p11"
        self.pin = directory / "pin"
        self.pin.write_text(f"{PIN}\n")
        self.pin.chmod(0o600)
        self._env = os.environ | {"SOFTHSM2_CONF": str(directory / "softhsm2.conf")}
        (directory / "tokens").mkdir()
        (directory / "softhsm2.conf").write_text(
            f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n"
        )
        for label in labels:
            self._util("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "13579-so")
        self._process: subprocess.Popen[bytes] | None = None
        self.begin()

    def _util(self, *words: str) -> None:
        subprocess.run(["softhsm2-util", *words], env=self._env, check=True, capture_output=True)

    def begin(self) -> None:
        """Lend them."""
        self.socket.unlink(missing_ok=True)
        words = ["p11-kit", "server", "-f", "--provider", str(find_library()), "-n", str(self.socket)]
        self._process = subprocess.Popen(
            [*words, "pkcs11:model=SoftHSM%20v2"],
            env=self._env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not self.socket.exists():
            assert self._process.poll() is None, "p11-kit server ended"
            time.sleep(0.01)

    def end(self) -> None:
        """Take them away: the server, and what it started for each client."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def uri(self, label: str, pin: Path | None = None) -> str:
        return f"pkcs11:token={label}?module-path={CLIENT}&pin-source={pin or self.pin}"
