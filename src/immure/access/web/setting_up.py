"""The set-up code of a room that nobody is in yet.

Until its founders have signed, nobody can sign in, and whoever comes first could name themselves and their
friends. So the page asks for a code that is in a file of the room's directory, readable by the server's user
only: who founds the room by the page could do it by ``immure access`` too.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.access.before_opening import directory_of
from immure.access.door import Door
from immure.access.errors import AccessError
from immure.access.room import deny
from immure.files import write_whole

#: The file, in the directory of the room.
NAME: Final = "set-up-code"
_BYTES: Final = 15


class SettingUp:
    """Makes the code, and takes it away when the room is open.

    Args:
        door: of the room.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._code = ""
        self._mutex = threading.Lock()

    @property
    def path(self) -> Path:
        """Where the code is, as long as the room is not open."""
        return directory_of(self._door) / NAME

    def begin(self) -> bool:
        """Put a new code there if there is none of this server's; whether there is one now.

        Raises:
            AccessError: it cannot be written, or an old one not removed.
        """
        with self._mutex, self._explained():
            if self._door.open_for_requests:
                self._forget()
            elif not self._code:
                code = base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()
                write_whole(self.path, f"{code}\n".encode(), mode=0o600)
                self._code = code
            return bool(self._code)

    def end(self) -> None:
        """The server stops, and its code is of no use any more. After a crash it stays, until the next one
        begins. Raises AccessError if it cannot be removed."""
        with self._mutex, self._explained():
            if self._code:
                self._forget()

    def _forget(self) -> None:
        self._code = ""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AccessError(error.strerror or "cannot be written", path=str(self.path)) from error

    def check(self, given: str) -> None:
        """Say no to another code than that in the file; raises DeniedError."""
        known = self._code
        plain = given.strip().replace("-", "").replace(" ", "").lower()
        if not known or not hmac.compare_digest(plain.encode(), known.encode()):
            deny("set-up-code", "this is not the set-up code of this room")
