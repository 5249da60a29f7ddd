"""What the gate writes into the log.

``release.denied``   a rule said no; nothing was transferred
``release.allowed``  every rule said yes; written before a byte is transferred
``release.failed``   it was allowed and did not happen; the entry names the one that allowed it
``release.done``     it is visible at the destination

An ``allowed`` that neither ``done`` nor ``failed`` follows is a process that died: whether the dump became
visible is to be seen at the destination, and it was cleared either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immure.auditlog import Checkpoint, Entry
from immure.clock import Clock, to_rfc3339
from immure.errors import LogError, RefusedError
from immure.transfer.case import Decision, plain
from immure.transfer.destinations.interface import Placed
from immure.transfer.interfaces import DecisionLog

#: Longest reason that a log entry or an error holds.
_MOST_WORDS = 4000


class Journal:
    """The entries of one release.

    Args:
        log: takes them.
        evidence: which clearance and grant were shown, for the entries.
        path: the dump, for messages.
    """

    def __init__(self, log: DecisionLog, evidence: Mapping[str, Any], path: str) -> None:
        self._log = log
        self._evidence = evidence
        self._path = path

    def decided(self, decision: Decision) -> Entry:
        """The entry that allows a release.

        Raises:
            RefusedError: it is not allowed; that is logged.
            LogError: the decision cannot be logged; nothing is released.
        """
        kind = "release.allowed" if decision.allowed else "release.denied"
        try:
            entry = self._log.append(kind, decision.to_json(self._evidence))
        except LogError as error:
            raise LogError(self._unlogged(decision, error), path=self._path) from error
        if decision.allowed:
            return entry
        raise refusal(decision, self._path)

    def _unlogged(self, decision: Decision, error: LogError) -> str:
        if decision.allowed:
            return f"not released, because the log cannot be written: {error}"
        return f"refused ({decision.denials[0].rule}), and the log cannot be written: {error}"

    def failed(self, allowed: Entry, decision: Decision, error: BaseException) -> None:
        """Log that what was allowed did not happen.

        Raises:
            LogError: it cannot be logged, either; it says so beside what went wrong.
        """
        reason = str(error) or type(error).__name__
        if isinstance(error, KeyboardInterrupt):  # it may have come right behind the last step
            reason = "interrupted; whether it is visible is to be seen at the destination"
        body = _outcome(allowed, decision) | {"reason": plain(reason)[:_MOST_WORDS]}
        if isinstance(error, RefusedError):
            body["rule"] = error.rule
        try:
            self._log.append("release.failed", body)
        except LogError as second:
            raise LogError(f"{reason}; and the log cannot be written: {second}", path=self._path) from error

    def done(
        self, allowed: Entry, decision: Decision, placed: Placed, clock: Clock
    ) -> tuple[Entry, Checkpoint]:
        """Log that it is visible.

        Raises:
            LogError: it cannot be logged; the dump is released, under the entry that allowed it.
        """
        body = _outcome(allowed, decision) | {"placed": placed, "released": to_rfc3339(clock())}
        try:
            return self._log.append("release.done", body), self._log.checkpoint()
        except LogError as error:
            where = f"{plain(decision.case.destination)}/{plain(decision.case.name)}"
            words = f"released to {where} as entry {allowed.index} of the log allows"
            reason = f"{words}; but that it is done cannot be logged: {error}"
            raise LogError(reason, path=self._path) from error


def refusal(decision: Decision, path: str) -> RefusedError:
    """The error that says which rules say no, to raise."""
    first, *others = decision.denials
    words = f"not released: {first.rule}: {first.reason}"
    if others:
        words += "; also " + "; ".join(f"{one.rule}: {one.reason}" for one in others)
    return RefusedError(words[:_MOST_WORDS], rule=first.rule, path=path)


def _outcome(allowed: Entry, decision: Decision) -> dict[str, Any]:
    case = decision.case
    return {
        "allowed": allowed.index,
        "dump": {"sha256": case.sha256, "size": case.size},
        "destination": plain(case.destination),
        "name": plain(case.name),
    }
