"""What a front end asks of the keys of a holder: which there are, new ones, other states, backups."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from immure.custody.keyholder import asking
from immure.custody.keyholder.asking import KeyInfo
from immure.custody.keyholder.errors import HolderFileError, HolderKeyError
from immure.custody.keyholder.held_key import Rules
from immure.custody.keyholder.pins import Pin, Pins
from immure.custody.keyholder.protocol import Op, from_json, to_json
from immure.registry.state import KeyState

_BITS: Final = 3072


class Keys(ABC):
    """The keys of the holder of the file ``path``. Every method raises HolderError."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._keys: dict[str, KeyInfo] = {}

    @abstractmethod
    def _ask(self, op: Op, body: bytes, handles: Sequence[int] = ()) -> bytes:
        """Ask, and wait for the answer."""

    def list(self) -> dict[str, KeyInfo]:
        """All keys by their kids."""
        self._keys = asking.key_infos(self._ask(Op.LIST, b""))
        return dict(self._keys)

    def find(self, kid: str) -> KeyInfo:
        """A key; what it may sign never changes, so it is asked for once. Raises HolderKeyError."""
        found = self._keys.get(kid) or self.list().get(kid)
        if found is None:
            raise HolderKeyError(f"there is no key {kid[:80]!r}", path=self.path)
        return found

    def generate(
        self, kid: str, rules: Rules, *, bits: int = _BITS, state: KeyState = KeyState.ACTIVE
    ) -> KeyInfo:
        """Have a key made inside. Needs the role ``manage``.

        Args:
            bits: of an RSA key.
            state: pre-active or active.
        """
        return self._info(Op.GENERATE, asking.generate_body(kid, rules, bits, state))

    def succeed(
        self,
        kid: str,
        after: str,
        *,
        bits: int = _BITS,
        state: KeyState = KeyState.PRE_ACTIVE,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        never: Collection[str] = (),
    ) -> KeyInfo:
        """Have a key made that may sign what the key ``after`` may, in a time of its own; any role may.

        Args:
            never: audiences that it is not for, of those that the rules of ``after`` do not name.
        """
        return self._info(
            Op.SUCCEED, asking.succeed_body(kid, after, bits, state, not_before, not_after, never)
        )

    def import_key(self, kid: str, rules: Rules, source: str | Path) -> KeyInfo:
        """Take in a private key from a file, which the holder reads itself; its ``origin`` says so for ever.

        Whoever had the file has the key. Needs the role ``manage``.
        """
        try:
            handle = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "cannot be opened"
            raise HolderFileError(reason, path=str(source)) from error
        try:
            return self._info(Op.IMPORT, to_json({"kid": kid, "rules": rules.to_plain()}), [handle])
        finally:
            os.close(handle)

    def set_state(self, kid: str, state: KeyState, reason: str = "") -> KeyInfo:
        """Bring a key into another state. Out of use is always possible; back into use needs the role
        ``manage``."""
        return self._info(Op.SET_STATE, to_json({"kid": kid, "state": state.value, "reason": reason}))

    def _info(self, op: Op, body: bytes, handles: Sequence[int] = ()) -> KeyInfo:
        made = asking.key_info(from_json(self._ask(op, body, handles)))
        self._keys[made.kid] = made
        return made

    def backup(self, path: str | Path, pins: Sequence[Pin]) -> int:
        """Write all keys into a new file under other PINs: one, or two that two people know.

        Needs the role ``manage``. Returns the number of keys. Raises HolderFileError if the file is there.
        """
        kept, target = Pins(pins), Path(path)
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            kept.close()
            raise HolderFileError(getattr(error, "strerror", None) or "no path", path=str(path)) from error
        try:
            with kept.handles() as given:
                said = from_json(self._ask(Op.BACKUP, b"", [*given, handle]))
        except BaseException:
            target.unlink()
            raise
        finally:
            os.close(handle)
            kept.close()
        return int(said["keys"])

    def status(self) -> dict[str, Any]:
        """What the holder says of itself: role, protections and whether each holds, number of keys."""
        return from_json(self._ask(Op.STATUS, b""))
