"""What goes on, for those who watch: counters, and lines in the journal; never what a client sent."""

from __future__ import annotations

from typing import Final

from immure.errors import ImmureError
from immure.introspection.errors import RequestError
from immure.introspection.journal import Journal, places
from immure.introspection.rate import Rate
from immure.signing.metrics import Metrics

#: Lines a second of one kind; how many more there were is in the next one.
_LINES: Final = 20


class Observer:
    """Is told of everything, and tells others.

    Args:
        metrics: counters.
        journal: lines.
    """

    def __init__(self, metrics: Metrics, journal: Journal) -> None:
        self.metrics, self.journal = metrics, journal
        self._rates = {kind: Rate(_LINES) for kind in ("refused", "unavailable")}

    def issued(self, issuer: str, grant: str, seconds: float) -> None:
        """There were tokens for a request, after so many seconds."""
        self.metrics.issued(issuer, grant, seconds)

    def refused(self, endpoint: str, client: str | None, error: RequestError) -> None:
        """A request is answered with an error. The words of the error may quote it, and are not repeated.

        Args:
            endpoint: its path; one of ours.
            client: of ours, whom it was from or said to be from.
        """
        self.metrics.refused(endpoint, error.error)
        kind = "unavailable" if error.status >= 500 else "refused"
        suppressed = self._rates[kind].ask()
        cause = error.__cause__
        if kind == "unavailable" and isinstance(cause, ImmureError):
            self.metrics.failed(cause.code)
            facts: dict[str, object] = {"code": cause.code, "reason": cause.reason}
        else:
            facts = {"code": cause.code if isinstance(cause, ImmureError) else error.code}
        if suppressed is not None:
            more = {"suppressed": suppressed} if suppressed else {}
            self.journal.write(
                kind,
                endpoint=endpoint,
                error=error.error,
                status=error.status,
                client=client,
                **facts,
                **more,
            )

    def failed(self, what: str, error: ImmureError) -> None:
        """Work that nobody asked for just now failed; it is tried again."""
        self.metrics.failed(error.code)
        self.journal.write(f"{what}-failed", code=error.code, reason=error.reason)

    def bug(self, what: str, error: Exception) -> None:
        """As :meth:`failed`, and the reason is ours. The words of the error might quote a secret."""
        self.metrics.failed("bug")
        self.journal.write(f"{what}-failed", code="bug", error=type(error).__name__, at=places(error))
