"""What goes on, for those who watch: counters for Prometheus, and lines in the journal."""

from __future__ import annotations

from typing import Final

from immure.errors import ImmureError
from immure.introspection.errors import ClientError
from immure.introspection.journal import Journal, places
from immure.introspection.metrics import Metrics
from immure.introspection.rate import Rate
from immure.introspection.settings import Refusals
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.errors import AcceptanceLogError

#: Lines a second of one kind; how many more there were is in the next one.
_LINES: Final = 20


class Watch:
    """Is told of everything, and tells others.

    Args:
        metrics: counters.
        journal: lines.
        decisions: of which decisions a line is written.
    """

    def __init__(self, metrics: Metrics, journal: Journal, decisions: Refusals = "refused") -> None:
        self.metrics, self.journal = metrics, journal
        self._lines = {"none": (), "refused": ("refused",), "all": ("refused", "accepted")}[decisions]
        self._rates = {kind: Rate(_LINES) for kind in ("decision", "client", "undecided")}

    def decided(self, row: Decision, seconds: float) -> None:
        """A token was accepted or refused, in so many seconds."""
        self.metrics.decided(row.channel, row.rule, seconds)
        if row.verdict in self._lines:
            self._write(
                "decision",
                verdict=row.verdict,
                rule=row.rule or None,
                digest=None if row.digest is None else row.digest.hex(),
                relying_party=row.relying_party,
                channel=row.channel,
            )

    def undecided(self, channel: str, error: ImmureError) -> None:
        """There is no verdict."""
        self.metrics.undecided(channel, error.code)
        self._write("undecided", channel=channel, code=error.code, reason=str(error))

    def bug(self, channel: str, error: Exception) -> None:
        """There is no verdict, and the reason is ours. The words of the error might quote a token."""
        self.metrics.undecided(channel, "bug")
        self._write("undecided", channel=channel, code="bug", error=type(error).__name__, at=places(error))

    def unknown_client(self, error: ClientError) -> None:
        """Somebody asked who may not."""
        self.metrics.unknown_client()
        self._write("client", reason=error.reason)

    def log(self, error: AcceptanceLogError | None) -> None:
        """The log of acceptances failed, or works again."""
        self.metrics.log_works(error is None)
        if error is None:
            self.journal.write("log-works")
        else:
            self.journal.write("log-failed", reason=str(error))

    def _write(self, event: str, **facts: object) -> None:
        suppressed = self._rates[event].ask()
        if suppressed is None:
            return
        self.journal.write(event, **facts, **({"suppressed": suppressed} if suppressed else {}))
