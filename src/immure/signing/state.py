"""What the service must remember between requests: codes, refresh tokens, what was used, what was revoked.

>>> from immure.signing.state_opening import open_state
>>> state = open_state(":memory:")
>>> state.once("assertion", b"digest", until=2_000_000_000, now=1_790_000_000)
True
>>> state.once("assertion", b"digest", until=2_000_000_000, now=1_790_000_001)
False
>>> state.close()

Nothing that a client shows is kept, only its SHA-256. Each change is one transaction, and on the disk when
the call returns; several processes use the same state at once. An event loop never waits for it: see
:meth:`State.ask`. :mod:`.sqlite_state` is for one machine, :mod:`.postgres_state` for several.
"""

from __future__ import annotations

import base64
import hashlib
from abc import ABC, abstractmethod
from asyncio import get_running_loop
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeVar

from immure.signing.errors import StateError
from immure.signing.fetches import Fetch
from immure.signing.heartbeat import Beat

T = TypeVar("T")
#: Seconds to wait for another process that writes, and for those before in the queue.
PATIENCE: Final = 3.0
#: Fetches of one issuer that are kept; more relying parties than that are not told apart.
MOST_FETCHES: Final = 20_000
#: Seconds for which a family is remembered after the last of its codes and refresh tokens: access tokens that
#: came of it live on, a day at most, and one that was ended must not come back.
OUTLIVES: Final = 2 * 86_400


@dataclass(frozen=True, slots=True)
class Kept:
    """A code or refresh token.

    Attributes:
        family: what all that came out of one sign-in have in common.
        plain: what was granted.
        used: whether it was taken before.
        revoked: whether its family was.
    """

    family: bytes
    plain: Mapping[str, Any]
    used: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class Heir:
    """What comes in the place of something that is taken; ``secret`` is what the client will show."""

    kind: str
    secret: str = field(repr=False)
    plain: Mapping[str, Any]
    until: int


class State(ABC):
    """What is remembered, in a place that ``path`` names (without a password).

    Args:
        path: for messages.
        threads: that :meth:`ask` works in.

    Every method raises StateError if the place cannot be read or written.
    """

    def __init__(self, path: str, threads: int = 1) -> None:
        self.path = path
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="immure-state")

    async def ask(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call one of the methods below in a thread of the state's own.

        Raises:
            StateError: as the method; or others before took so long that nobody should wait any more.
        """
        asked = monotonic()

        def call() -> T:
            if monotonic() - asked > PATIENCE:
                raise StateError("others before took too long", path=self.path)
            return work(*arguments, **named)

        try:
            return await get_running_loop().run_in_executor(self._threads, call)
        except RuntimeError as error:  # no thread any more
            raise StateError("is closed", path=self.path) from error

    # --- what clients show ---

    @abstractmethod
    def once(self, kind: str, digest: bytes, *, until: int, now: int) -> bool:
        """Whether this was not used before; from now on it was, until a time at which it does not count any
        more."""

    @abstractmethod
    def keep(self, kind: str, secret: str, family: bytes, plain: Mapping[str, Any], *, until: int) -> None:
        """Keep a code, refresh token or session."""

    @abstractmethod
    def look(self, kind: str, secret: str, *, now: int) -> Kept | None:
        """A code or refresh token as it is kept, without taking it; None if it is unknown or has run out."""

    @abstractmethod
    def take(self, kind: str, secret: str, *, now: int, heir: Heir | None = None) -> Kept | None:
        """Take a code or refresh token, and keep what comes in its place, both or neither. Who takes it a
        second time is told so, and the whole family is revoked: one of the two who showed it is a thief
        (RFC 9700, section 4.14.2)."""

    @abstractmethod
    def revoke_family(self, family: bytes) -> None:
        """Nothing of a family is taken any more."""

    @abstractmethod
    def is_revoked_family(self, family: bytes) -> bool:
        """Whether a family was revoked."""

    @abstractmethod
    def revoke_issuer(self, issuer: str) -> int:
        """End every sign-in at an issuer, by its name in the settings: nothing that came of one is taken any
        more. How many sign-ins are over, those included that were before."""

    @abstractmethod
    def subjects(self, issuer: str) -> list[str]:
        """Whom the sessions, codes and refresh tokens of an issuer are about, whether they are over or not;
        each once, in order."""

    @abstractmethod
    def revoke(self, digest: bytes, *, until: int) -> None:
        """An access token, by its digest, is not active any more."""

    @abstractmethod
    def is_revoked(self, digest: bytes) -> bool:
        """Whether an access token was revoked."""

    def revoke_family_named(self, name: str) -> None:
        """As :meth:`revoke_family`, by the name in base64url that tokens have of it (``sid``)."""
        family = _family(name)
        if family is not None:
            self.revoke_family(family)

    def is_family_revoked(self, name: str) -> bool:
        """Whether a family, by its name in base64url, was revoked."""
        family = _family(name)
        return family is not None and self.is_revoked_family(family)

    def is_over(self, digest: bytes, session: str) -> bool:
        """Whether an access token was revoked, or the sign-in that it came of ended ("": there was none)."""
        return self.is_revoked(digest) or (session != "" and self.is_family_revoked(session))

    @abstractmethod
    def sweep(self, now: int) -> None:
        """Forget what has run out."""

    # --- what processes of the service tell one another ---

    @abstractmethod
    def lead(self, work: str, who: str, *, seconds: int) -> bool:
        """Whether this process is the one that does some work for all, from now on for so many seconds.

        It may ask again before they are over, and keeps it. A lease that ends later than any could is of a
        clock that was wrong, and does not count.
        """

    @abstractmethod
    def resign(self, who: str) -> None:
        """Another process may have what this one leads, at once."""

    @abstractmethod
    def beat(self, beat: Beat) -> None:
        """A process was at work, and believed its clock."""

    @abstractmethod
    def beats(self) -> list[Beat]:
        """The last of each boot of each machine, newest first; at most 100."""

    @abstractmethod
    def fetched(self, fetches: Sequence[Fetch]) -> None:
        """Relying parties read key sets."""

    @abstractmethod
    def fetches(self, issuer: str) -> list[Fetch]:
        """Who read which key set of an issuer, and when first and last; in the order of the last time."""

    # --- the end ---

    def close(self) -> None:
        """Let go of it."""
        self._threads.shutdown(wait=True)
        self._close()

    @abstractmethod
    def _close(self) -> None:
        """Let go of what was opened; the threads have ended."""


def _family(name: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4))
    except ValueError:
        return None


def digest_of(secret: str) -> bytes:
    """What is kept of something that a client shows."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def newest_first(beats: Iterable[Beat]) -> list[Beat]:
    """As :meth:`State.beats` gives them."""
    return sorted(beats, key=lambda beat: beat.at, reverse=True)
