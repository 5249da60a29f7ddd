"""What a vault is: the file ``vault.json`` in it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from immure.clock import to_rfc3339
from immure.errors import VaultError
from immure.vault.wrapping import SALT_BYTES, Wrapping

SCHEMA: Final = "https://immure.example/schemas/vault-1.json"
_MOST_BYTES = 1 << 14
_KINDS = ("none", "file", "passphrase")


@dataclass(frozen=True, slots=True)
class Identity:
    """The name of a vault, and what its keys are wrapped with.

    Attributes:
        id: random.
        created: RFC 3339.
        wrapping: ``none``, ``file`` or ``passphrase``.
        salt: for deriving the wrapping key; differs between vaults.
        check: tells a wrong wrapping key (:meth:`Wrapping.check`).
    """

    id: bytes
    created: str
    wrapping: str
    salt: bytes
    check_value: bytes

    @classmethod
    def new(cls, wrapping: Wrapping | None, moment: datetime) -> Identity:
        """The identity of a vault made at that moment."""
        salt = os.urandom(SALT_BYTES)
        kind, value = ("none", b"") if wrapping is None else (wrapping.kind, wrapping.to_check(salt))
        return cls(os.urandom(16), to_rfc3339(moment), kind, salt, value)

    @property
    def context(self) -> bytes:
        """What binds a wrapped key to this vault."""
        return b"immure vault " + self.id

    def check(self, wrapping: Wrapping | None, path: str) -> None:
        """Compare with what a user gave; nothing is always right.

        Raises:
            VaultError: the vault has another one, or none.
        """
        if wrapping is None:
            return
        if wrapping.kind != self.wrapping:
            words = "not wrapped" if self.wrapping == "none" else f"wrapped with a {self.wrapping}"
            raise VaultError(f"its keys are {words}, and a {wrapping.kind} was given", path=path)
        wrapping.check(self.check_value, self.salt, path)

    def to_bytes(self) -> bytes:
        """The text of ``vault.json``."""
        members = {
            "schema": SCHEMA,
            "id": self.id.hex(),
            "created": self.created,
            "wrapping": {"kind": self.wrapping, "salt": self.salt.hex(), "check": self.check_value.hex()},
        }
        return json.dumps(members, indent=1).encode("ascii") + b"\n"

    @classmethod
    def read(cls, path: Path) -> Identity:
        """Read ``vault.json``.

        Raises:
            VaultError: there is none, or this version does not know it.
        """
        try:
            with path.open("rb") as stream:
                data = stream.read(_MOST_BYTES)
        except FileNotFoundError as error:
            raise VaultError("is not a vault: there is no vault.json in it", path=str(path.parent)) from error
        except OSError as error:
            raise VaultError(f"cannot be read: {error.strerror}", path=str(path)) from error
        try:
            return cls._parse(json.loads(data))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise VaultError("is not a description of a vault", path=str(path)) from error

    @classmethod
    def _parse(cls, members: dict[str, Any]) -> Identity:
        wrapping = members["wrapping"]
        if members["schema"] != SCHEMA or wrapping["kind"] not in _KINDS:
            raise ValueError("unknown schema")
        salt, value = bytes.fromhex(wrapping["salt"]), bytes.fromhex(wrapping["check"])
        return cls(bytes.fromhex(members["id"]), str(members["created"]), wrapping["kind"], salt, value)
