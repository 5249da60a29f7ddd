"""Where the keys of a drilled service are: one class for each kind of custody.

A backend gets a key that the drill knows (:mod:`.canaries`) for the issuer that keeps its key; the keys of
the other are made within, as in life.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import quote

from immure.errors import SignerError
from immure.signing.drill.canaries import Canary
from immure.signing.drill.house import House
from immure.signing.settings import Settings

_CLIENTS: Final = ("x86_64-linux-gnu/pkcs11", "aarch64-linux-gnu/pkcs11", "pkcs11")
_SOFTHSM: Final = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
_LABEL: Final = "drill"
_PATIENCE: Final = 30.0


class Backend(ABC):
    """One kind of custody, for one service.

    Attributes:
        name: as the user says it.
        must_be_clean: whether residue is a failure; otherwise it has to leak, or the drill sees nothing.
        is_control: whether it must leak.
    """

    name: ClassVar[str]
    must_be_clean: ClassVar[bool] = True
    is_control: ClassVar[bool] = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def why_not(cls) -> str | None:
        """Why it cannot be drilled here; None if it can."""
        return None

    @property
    def environment(self) -> dict[str, str]:
        """What the service's process needs to know."""
        return {}

    @property
    @abstractmethod
    def custody(self) -> str:
        """Its URI in the settings."""

    @abstractmethod
    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """Put the known key in its place; raises SignerError."""

    def token_processes(self) -> list[int]:
        """Processes outside of the service that have keys: a software token's."""
        return []

    def close(self) -> None:  # noqa: B027 - most have started nothing
        """End what was started."""

    def _pin(self) -> Path:
        path = self.directory / "pin"
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "w", encoding="ascii") as stream:
                stream.write(f"{secrets.token_urlsafe(18)}\n")
        return path


class UnsafeFiles(Backend):
    """Private keys in files and in the service's memory."""

    name = "file+unsafe"
    must_be_clean = False
    is_control = True

    @property
    def custody(self) -> str:
        """See :class:`Backend`."""
        return f"file+unsafe:{self.directory / 'private'}"

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """See :class:`Backend`."""
        (self.directory / "private").mkdir(mode=0o700)
        canary.write(self.directory / "private" / f"{house.first}.pem")


class Holder(Backend):
    """The key holder, a process of its own."""

    name = "keyholder"

    @classmethod
    def why_not(cls) -> str | None:
        """See :class:`Backend`."""
        if importlib.util.find_spec("immure.custody.keyholder._native") is None:
            return "the key holder's native half was not built"
        return None

    @property
    def custody(self) -> str:
        """See :class:`Backend`."""
        return f"keyholder:{self._file}?pin-source={self._pin()}"

    @property
    def _file(self) -> Path:
        return self.directory / "holder" / "keys.sealed"

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """See :class:`Backend`; the other issuer's first key is made as ``immure signing init`` makes it."""
        from immure.custody.keyholder import KeyHolder
        from immure.custody.keyholder.held_key import ANY_AUDIENCE, Rules

        audiences = {ANY_AUDIENCE: frozenset({"drill"})}
        source = canary.write(self.directory / "canary.pem")
        with KeyHolder.create(self._file, [self._pin()]) as holder:
            for issuer in settings.issuers.values():
                algorithm = issuer.plan.algorithm
                rules = Rules(algorithm, issuer.scope, audiences)  # type: ignore[arg-type]
                if f"{issuer.plan.prefix}-0001" == house.first:
                    holder.import_key(house.first, rules, source)
                else:
                    holder.generate(f"{issuer.plan.prefix}-0001", rules, bits=issuer.plan.bits)
        source.unlink()


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

    def _lend(self) -> None:
        return


def children(pid: int) -> list[int]:
    """Processes that a process started, and that are there still."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found


def _library() -> str | None:
    return next((path for path in _SOFTHSM if os.path.exists(path)), None)


def _client() -> str | None:
    paths = [f"/usr/lib/{name}/p11-kit-client.so" for name in _CLIENTS]
    return next((path for path in paths if os.path.exists(path)), None)


BACKENDS: Final[dict[str, type[Backend]]] = {
    one.name: one for one in (UnsafeFiles, Holder, Token, InnerToken)
}
#: Those that are drilled if none is named.
USUAL: Final = ("file+unsafe", "keyholder", "pkcs11")
