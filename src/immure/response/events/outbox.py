"""From an event to its tokens: one for each stream that gets it, signed once.

outbox = Outbox(store, issuer="https://login.example/", signer=signer)
outbox.emit(event)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from immure import clock
from immure.custody.signer import Signer
from immure.response.events.kinds import Event, verification
from immure.response.events.set_token import jti_of, sign_event
from immure.response.events.store import EventStore
from immure.response.events.streams import Stream

#: Events that are signed before they are written.
_BATCH: Final = 500


class Outbox:
    """See the module.

    Args:
        store: keeps streams and tokens.
        issuer: the transmitter.
        signer: its key.
        kid: of the key in the transmitter's key set; its thumbprint by default.
        time: where the time is from.
    """

    def __init__(
        self, store: EventStore, *, issuer: str, signer: Signer, kid: str = "", time: clock.Clock = clock.now
    ) -> None:
        self.store, self.issuer = store, issuer
        self._signer, self._kid, self._time = signer, kid, time

    @property
    def signer(self) -> Signer:
        """The transmitter's key."""
        return self._signer

    @property
    def kid(self) -> str:
        """Its name in the transmitter's key set."""
        return self._kid or self._signer.thumbprint

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._time().timestamp())

    def emit(self, event: Event) -> int:
        """Let an event's tokens wait for all who get it; how many tokens are new.

        Raises:
            EventStoreError, SignerError: it cannot be done; asked again, it goes on where it ended.
        """
        return self.emit_all([event])

    def emit_all(self, events: Iterable[Event]) -> int:
        """As :meth:`emit`, for many; they come to the disk some hundred at a time."""
        made, left = 0, iter(events)
        while batch := list(islice(left, _BATCH)):
            for stream in self.store.streams():
                wanted = [one for one in batch if one.kind in stream.delivered]
                if wanted and stream.status != "disabled":
                    unwanted = self.store.unwanted(stream.id)
                    made += self._put(stream, [one for one in wanted if not unwanted.match(one.subject)])
        return made

    def verify(self, stream: Stream, state: str | None, about: str) -> None:
        """Send an event that says that the stream works."""
        self._put(stream, [verification(stream.id, state, at=self.now(), about=about)])

    def _put(self, stream: Stream, events: Sequence[Event]) -> int:
        now, tokens = self.now(), {}
        for event in events:
            jti = jti_of(event, stream.id)
            if not self.store.knows(stream.id, jti):
                tokens[jti] = sign_event(
                    event,
                    issuer=self.issuer,
                    audience=stream.audience,
                    jti=jti,
                    now=now,
                    signer=self._signer,
                    kid=self._kid,
                )
        return self.store.put(stream.id, tokens, now) if tokens else 0
