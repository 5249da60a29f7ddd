"""People who sign in: a file of names and password hashes, for development.

A password is all that it asks for. That is enough to try the service; what people sign in with to production
systems are hardware keys, which come with the access room.

[users.ada]
password = "scrypt:16384:8:1:SALT:HASH"     # immure signing password
subject = "ada"                              # what tokens call her; the name if it is not there
tenant = "contoso"
issuers = ["enterprise"]
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from immure.errors import UsageError
from immure.introspection.table import Table
from immure.signing.state import digest_of
from immure.toml_file import parse_toml, read_bounded

_MOST_BYTES: Final = 4 << 20
#: N, r and p of scrypt.
COST: Final = (16384, 8, 1)
_HASH: Final = re.compile(r"scrypt:(\d{1,8}):(\d{1,3}):(\d{1,3}):([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
#: Wrong passwords for one name until it must wait, and seconds that it waits.
_MOST_WRONG: Final = 5
_WAIT: Final = 60.0
_MOST_NAMES: Final = 100_000
MOST_PASSWORD: Final = 1024
#: Passwords that are looked at at once, and that may wait: each takes 16 MiB and a tenth of a second.
_AT_ONCE, _MOST_WAITING = 2, 32


@dataclass(frozen=True)
class User:
    """Somebody who may sign in."""

    password: str = field(repr=False)
    subject: str
    tenant: str
    issuers: frozenset[str]


class TooOftenError(Exception):
    """Wrong too often: this name must wait."""


class Users:
    """Those of a file.

    Args:
        users: by name.
        ticks: seconds from any beginning.
    """

    def __init__(self, users: Mapping[str, User], *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._users = dict(users)
        self._ticks = ticks
        self._wrong: dict[bytes, list[float]] = {}  # by a digest: a name may be as long as a form
        self._lock = threading.Lock()
        self._nobody = hash_password(os.urandom(8).hex(), cost=_cost_of(self._users.values()))
        # threads of its own: a flood of passwords must not keep what else is done in threads from its turn
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="immure-password")
        self._waiting = 0

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Users:
        """The users in a file; raises UsageError if it cannot be read or understood."""
        name, data = read_bounded(path, _MOST_BYTES)
        table = Table(parse_toml(data, name, _MOST_BYTES))
        try:
            users = {one: _user(one, inner) for one, inner in table.tables("users")}
            table.end()
        except UsageError as error:
            raise UsageError(str(error), path=name) from error
        return cls(users)

    async def acheck(self, name: str, password: str, issuer: str) -> User | None:
        """As :meth:`check`, without blocking others; raises TooOftenError also if too many wait."""
        if self._waiting >= _MOST_WAITING:
            raise TooOftenError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self.check, name, password, issuer)
        finally:
            self._waiting -= 1

    def check(self, name: str, password: str, issuer: str) -> User | None:
        """The user of that name and password who may sign in at an issuer; None if there is none such.

        It takes as long for a name that is not there. Slow on purpose.

        Raises:
            TooOftenError: the name had too many wrong passwords within a minute.
        """
        self._begin(name)
        user = self._users.get(name)
        right = is_password(user.password if user else self._nobody, password)
        if user is None or not right or issuer not in user.issuers:
            return None
        with self._lock:
            self._wrong.pop(digest_of(name), None)
        return user

    def is_there(self, name: str, issuer: str) -> bool:
        """Whether somebody may (still) sign in at an issuer."""
        user = self._users.get(name)
        return user is not None and issuer in user.issuers

    def subjects(self, issuer: str) -> frozenset[str]:
        """What tokens of an issuer call those who may sign in there."""
        return frozenset(user.subject for user in self._users.values() if issuer in user.issuers)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, name: str) -> None:
        """Counts as wrong until it is right, so that many at once are not more than one after the other."""
        now, shown = self._ticks(), digest_of(name)
        with self._lock:
            times = [one for one in self._wrong.get(shown, ()) if now - one < _WAIT]
            if len(times) >= _MOST_WRONG:
                raise TooOftenError
            if shown not in self._wrong and len(self._wrong) >= _MOST_NAMES:
                self._wrong = {one: at for one, at in self._wrong.items() if now - at[-1] < _WAIT}
                if len(self._wrong) >= _MOST_NAMES:
                    raise TooOftenError
            self._wrong[shown] = [*times, now]


def hash_password(password: str, *, cost: tuple[int, int, int] = COST) -> str:
    """A hash for the file (RFC 7914).

    Args:
        cost: N, r and p of scrypt.
    """
    salt = os.urandom(16)
    made = _derive(password, salt, *cost)
    numbers = ":".join(map(str, cost))
    return f"scrypt:{numbers}:{_text(salt)}:{_text(made)}"


def _cost_of(users: Iterable[User]) -> tuple[int, int, int]:
    """What a password costs here: the same for a name that is not there."""
    for user in users:
        match = _HASH.fullmatch(user.password)
        if match is not None:
            return int(match[1]), int(match[2]), int(match[3])
    return COST


def is_password(known: str, password: str) -> bool:
    """Whether a hash is of a password."""
    match = _HASH.fullmatch(known)
    if match is None or len(password) > MOST_PASSWORD:
        return False
    salt, digest = base64.b64decode(match[4]), base64.b64decode(match[5])
    made = _derive(password, salt, int(match[1]), int(match[2]), int(match[3]))
    return hmac.compare_digest(made, digest)


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    raw = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=cost, r=block, p=parallel, maxmem=64 << 20, dklen=32)


def _user(name: str, table: Table) -> User:
    password = table.text("password")
    if not _is_hash(password):
        raise UsageError(f"{table.name}.password is no hash that immure signing password made")
    made = User(
        password,
        table.text("subject", name),
        table.optional("tenant") or "",
        frozenset(table.texts("issuers")),
    )
    table.end()
    return made


def _is_hash(text: str) -> bool:
    """Whether passwords can be held against this."""
    match = _HASH.fullmatch(text)
    if match is None:
        return False
    try:
        for part in (match[4], match[5]):
            base64.b64decode(part, validate=True)
    except binascii.Error:
        return False
    return _can_be_paid(int(match[1]), int(match[2]), int(match[3]))


@lru_cache(maxsize=64)  # all users of a file have one, and a reload keeps everybody waiting
def _can_be_paid(cost: int, block: int, parallel: int) -> bool:
    """Whether scrypt takes these numbers, in the memory that there is for it."""
    try:
        _derive("", bytes(16), cost, block, parallel)
    except (ValueError, MemoryError):
        return False
    return True


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
