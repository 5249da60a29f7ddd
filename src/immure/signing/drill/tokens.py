"""PKCS#11 tokens of software: in a process of their own, in place of hardware, or in the service's.

SoftHSM2 keeps private numbers encrypted, in memory too, and decrypts them for the moment of a signature. So
an image of the process that it is in has a key only now and then; the busier it is, the more often.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from immure.errors import SignerError
from immure.signing.drill.backend import Backend, children
from immure.signing.drill.canaries import Canary
from immure.signing.drill.house import House
from immure.signing.drill.report import Part
from immure.signing.settings import Settings

_CLIENTS: Final = ("x86_64-linux-gnu/pkcs11", "aarch64-linux-gnu/pkcs11", "pkcs11")
_SOFTHSM: Final = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
_LABEL: Final = "drill"
_PATIENCE: Final = 30.0


class Token(Backend):
    """A PKCS#11 token in another process: SoftHSM2 behind ``p11-kit server``, in place of hardware."""

    name = "pkcs11"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._server: subprocess.Popen[bytes] | None = None

    @classmethod
    def why_not(cls) -> str | None:
        """See :class:`Backend`."""
        if importlib.util.find_spec("pkcs11") is None:
            return "python-pkcs11 is not installed (immure[pkcs11])"
        if shutil.which("softhsm2-util") is None or _library() is None:
            return "SoftHSM2 is not installed (Debian: softhsm2)"
        if shutil.which("p11-kit") is None or _client() is None:
            return "p11-kit with its client module is not installed (Debian: p11-kit, p11-kit-modules)"
        return None

    @property
    def environment(self) -> dict[str, str]:
        """See :class:`Backend`."""
        return {"P11_KIT_SERVER_ADDRESS": f"unix:path={quote(str(self._socket))}"}

    @property
    def custody(self) -> str:
        """See :class:`Backend`."""
        return f"pkcs11:token={_LABEL}?module-path={_client()}&pin-source={self._pin()}"

    @property
    def _socket(self) -> Path:
        return self.directory / "p11"

    @property
    def _configured(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """See :class:`Backend`."""
        (self.directory / "tokens").mkdir(mode=0o700)
        (self.directory / "softhsm2.conf").write_text(
            f"directories.tokendir = {self.directory / 'tokens'}\nlog.level = ERROR\n", encoding="utf-8"
        )
        pin = self._pin().read_text(encoding="ascii").strip()
        source = canary.write(self.directory / "canary.pem")
        self._util("--init-token", "--free", "--label", _LABEL, "--pin", pin, "--so-pin", pin)
        self._util("--import", str(source), "--token", _LABEL, "--label", house.first, "--id", "01",
                   "--pin", pin)  # fmt: skip
        source.unlink()
        self._lend()

    def _util(self, *words: str) -> None:
        done = subprocess.run(  # noqa: S603 - SoftHSM's tool, with words of ours
            ["softhsm2-util", *words],  # noqa: S607
            env=os.environ | self._configured,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise SignerError(f"softhsm2-util {words[0]} failed", path=str(self.directory))

    def _lend(self) -> None:
        self._server = subprocess.Popen(  # noqa: S603
            ["p11-kit", "server", "-f", "--provider", _library() or "", "-n", str(self._socket),  # noqa: S607
             f"pkcs11:token={_LABEL}"],
            env=os.environ | self._configured,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        limit = time.monotonic() + _PATIENCE
        while not self._socket.exists():
            if self._server.poll() is not None or time.monotonic() > limit:
                raise SignerError("p11-kit server does not begin", path=str(self._socket))
            time.sleep(0.02)

    def parts(self) -> list[Part]:
        """See :class:`Backend`."""
        return ["front end", "token"]

    def token_processes(self) -> list[int]:
        """See :class:`Backend`: one for each client, which the server starts."""
        return [] if self._server is None else children(self._server.pid)

    def close(self) -> None:
        """See :class:`Backend`."""
        server, self._server = self._server, None
        if server is not None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


class InnerToken(Token):
    """The same software token in the service's own process, where no token belongs: so are its keys."""

    name = "pkcs11-inside"
    must_be_clean = False

    @property
    def environment(self) -> dict[str, str]:
        """See :class:`Backend`."""
        return self._configured

    @property
    def custody(self) -> str:
        """See :class:`Backend`."""
        return f"pkcs11:token={_LABEL}?module-path={_library()}&pin-source={self._pin()}"

    def parts(self) -> list[Part]:
        """See :class:`Backend`: the token is in the front end."""
        return ["front end"]

    def _lend(self) -> None:
        return


def _library() -> str | None:
    return next((path for path in _SOFTHSM if os.path.exists(path)), None)


def _client() -> str | None:
    paths = [f"/usr/lib/{name}/p11-kit-client.so" for name in _CLIENTS]
    return next((path for path in paths if os.path.exists(path)), None)
