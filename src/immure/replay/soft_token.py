"""A PKCS#11 token of a signing service: SoftHSM2 in a process of its own, behind ``p11-kit server``.

It stands for hardware: no process of the service ever has the key. The token's own process has, and nothing
of ours keeps *its* memory out of dumps (``docs/reference/residues.md``); what crashes here is the service.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote

from immure.replay.errors import ReplayError
from immure.replay.program import PATIENCE, Program

WORDS: Final = "SoftHSM2 behind p11-kit server, a process of its own, in place of hardware"
#: Where the token keeps its objects, which its PIN encrypts; in the room of the service.
PLACE: Final = "token"
_LABEL: Final = "issuer"
_SOFTHSM: Final = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
_CLIENTS: Final = tuple(
    f"/usr/lib/{name}/p11-kit-client.so"
    for name in ("x86_64-linux-gnu/pkcs11", "aarch64-linux-gnu/pkcs11", "pkcs11")
)
#: Bytes that the name of a socket may have (unix(7): 108 with its end); rooms below ours take some of them.
_MOST_PATH: Final = 107
_ROOM: Final = "immure-replay-12345678/production-99/p11"
_SECONDS: Final = 60


def why_not(directory: str) -> str | None:
    """Why there can be no token here; None if there can.

    Args:
        directory: below which the rooms of the services are.
    """
    from immure.signing.drill.tokens import Token

    if len(os.fsencode(os.path.join(directory, _ROOM))) > _MOST_PATH:
        return "the directory's name is too long for a socket in it"
    return Token.why_not()


class SoftToken:
    """See the module.

    Args:
        room: of the service.
        pin: file with its PIN.
    """

    def __init__(self, room: Path, pin: Path) -> None:
        self._room, self._pin = room, pin
        self._program: Program | None = None

    @property
    def custody(self) -> str:
        """Its URI in the settings of the service."""
        return f"pkcs11:token={_LABEL}?module-path={_there(_CLIENTS)}&pin-source={quote(str(self._pin))}"

    @property
    def environment(self) -> dict[str, str]:
        """What the service's process needs to know."""
        return {"P11_KIT_SERVER_ADDRESS": f"unix:path={quote(str(self._socket))}"}

    @property
    def _socket(self) -> Path:
        return self._room / "p11"

    def start(self) -> None:
        """Make the token, and lend it out; raises ReplayError if that cannot be done."""
        place = self._room / PLACE
        place.mkdir(mode=0o700)
        settings = self._room / "softhsm2.conf"
        settings.write_text(f"directories.tokendir = {place}\nlog.level = ERROR\n", encoding="utf-8")
        known = {"SOFTHSM2_CONF": str(settings)}
        self._make(known)
        words = ["p11-kit", "server", "-f", "--provider", _there(_SOFTHSM), "-n", str(self._socket)]
        self._program = Program(
            [*words, f"pkcs11:token={_LABEL}"],
            log=self._room / "token.log",
            directory=self._room,
            environment=known,
        )
        self._program.wait_for_file(self._socket, PATIENCE)

    def stop(self) -> None:
        """End its process."""
        if self._program is not None:
            self._program.stop()

    def _make(self, known: dict[str, str]) -> None:
        tool = shutil.which("softhsm2-util")
        pin = self._pin.read_text(encoding="ascii").strip()
        words = ["--init-token", "--free", "--label", _LABEL, "--pin", pin, "--so-pin", pin]
        try:
            subprocess.run(  # noqa: S603 - SoftHSM's tool, with words of ours
                [tool or "softhsm2-util", *words],
                env=os.environ | known,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            # the error's own words have the command in them, and so the PIN
            reason = f"softhsm2-util made no token ({type(error).__name__})"
            raise ReplayError(reason, path=str(self._room)) from None


def _there(paths: tuple[str, ...]) -> str:
    return next((path for path in paths if os.path.exists(path)), paths[0])
