"""Asking witnesses to sign the log, after each batch (the client of C2SP tlog-witness).

    witnesses = Witnesses([parse_place("witness.example+1a2b3c4d+BA… https://witness.example")], quorum=1)
    witnesses.ask(log).words()

All are asked at once, each within some seconds. One that cannot be reached stops nothing; the answer says so.
One that contradicts has seen another history of the log: then somebody has put an older copy in place, or has
rewritten it.

Source: https://c2sp.org/tlog-witness
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Final, Literal

from immure.auditlog.checkpoint import Checkpoint
from immure.auditlog.cosignature import CosignatureKey, parse_witness
from immure.auditlog.log import AuditLog
from immure.auditlog.witness import ask_witness, witnessed
from immure.auditlog.witnessed import keep_witnessed
from immure.errors import LogError
from immure.ledger.errors import LedgerBehindError, LedgerError
from immure.ledger.posting import Answer, Post, check_url, post

#: Seconds for one witness.
PATIENCE: Final = 5.0
#: Seconds until those are asked again who did not sign.
AGAIN: Final = 10.0
_SIZE: Final = "text/x.tlog.size"
_MOST_WITNESSES: Final = 32
Kind = Literal["signed", "unreachable", "refuses", "contradicts"]


@dataclass(frozen=True, slots=True)
class Place:
    """A witness: its key, and the URL below which it answers (the *submission prefix*)."""

    key: CosignatureKey
    url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of asking one witness.

    Attributes:
        name: of the witness.
        kind: ``signed``; ``unreachable``: no answer now; ``refuses``: it does not know the log or its key;
            ``contradicts``: it has seen another history.
        words: why.
        line: its signature, if it signed.
        size: what it has seen, if it says so.
    """

    name: str
    kind: Kind
    words: str = ""
    line: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of asking all of them.

    Attributes:
        checkpoint: what they were asked to sign.
        outcomes: one for each.
        quorum: how many are needed.
    """

    checkpoint: Checkpoint
    outcomes: tuple[Outcome, ...]
    quorum: int

    @property
    def signed(self) -> int:
        """How many have signed."""
        return sum(one.kind == "signed" for one in self.outcomes)

    @property
    def enough(self) -> bool:
        """Whether these are enough."""
        return self.signed >= self.quorum

    @property
    def contradicted(self) -> bool:
        """Whether so many have seen another history that the others are not enough."""
        against = sum(one.kind == "contradicts" for one in self.outcomes)
        return len(self.outcomes) - against < self.quorum

    @property
    def state(self) -> Literal["witnessed", "not-witnessed", "contradicted"]:
        """In one word, for machines."""
        if self.enough:
            return "witnessed"
        return "contradicted" if self.contradicted else "not-witnessed"

    def words(self) -> str:
        """The answer in a line."""
        others = [f"{one.name} {one.kind} ({one.words})" for one in self.outcomes if one.kind != "signed"]
        told = f"{self.signed} of {len(self.outcomes)} witnesses have signed {self.checkpoint.size} entries"
        return "; ".join([told if self.enough else f"NOT WITNESSED: {told}, {self.quorum} needed", *others])


class Witnesses:
    """Asks witnesses, and keeps what they signed beside the log (``checkpoint.witnessed``).

    Args:
        places: who is asked.
        quorum: how many must sign; by default all of them.
        patience: seconds for one.
        ca_file: PEM file of the certificates to trust instead of the system's.
        monotonic: seconds that nobody sets.

    Raises:
        LedgerError: none or too many of them, a quorum that cannot be, one of them twice, or a URL that is
            not https (http is for this machine only).
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        quorum: int | None = None,
        patience: float = PATIENCE,
        ca_file: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.places = tuple(places)
        self.quorum = len(self.places) if quorum is None else quorum
        keys = {one.key.public_key for one in places} if places else set()
        if not 1 <= self.quorum <= len(keys) <= _MOST_WITNESSES or len(keys) != len(self.places):
            raise LedgerError(f"{self.quorum} of {len(keys)} different witnesses cannot be asked for")
        for one in self.places:
            check_url(one.url)
        self._patience, self._ca_file, self._monotonic = patience, ca_file, monotonic
        self._seen: dict[str, int] = {}
        self._last: Asked | None = None
        self._asked = float("-inf")

    def ask(self, log: AuditLog, *, keep: bool = True) -> Asked | None:
        """Have the newest state of a log signed; None if it is, or if it is too soon to ask again.

        Args:
            log: which.
            keep: write what they signed beside the log; not for who only reads it.
        """
        last, now = self._last, self._monotonic()
        new = last is None or last.checkpoint != log.checkpoint()
        if last is not None and not new and (last.enough or now - self._asked < AGAIN):
            return None
        self._asked = now
        asked = self._last = Asked(log.checkpoint(), self._outcomes(log), self.quorum)
        if asked.enough and keep:
            note = asked.checkpoint.note
            for one in asked.outcomes:
                note = witnessed(note, one.line) if one.line else note
            keep_witnessed(log.directory, note)
        return asked

    def check(self, log: AuditLog, *, keep: bool = True) -> Asked:
        """As :meth:`ask`, at once.

        Raises:
            LedgerBehindError: so many have seen a newer state that the others are not enough.
            LedgerError: likewise, another history.
        """
        self._last = None
        asked = self.ask(log, keep=keep)
        if asked is None:
            raise LedgerError("the witnesses were not asked", path=str(log.directory))
        against = [one for one in asked.outcomes if one.kind == "contradicts"]
        if asked.contradicted:
            newer = any(one.size is not None and one.size > asked.checkpoint.size for one in against)
            words = "; ".join(f"{one.name}: {one.words}" for one in against)
            raise (LedgerBehindError if newer else LedgerError)(words, path=str(log.directory))
        return asked

    def _outcomes(self, log: AuditLog) -> tuple[Outcome, ...]:
        """All at once, in threads that nobody waits for longer than agreed."""
        found: dict[str, Outcome] = {}

        def ask(place: Place) -> None:
            found[place.url] = self._one(log, place)

        threads = [Thread(target=ask, args=(place,), daemon=True) for place in self.places]
        for thread in threads:
            thread.start()
        end = self._monotonic() + 2 * self._patience + 1
        for thread in threads:
            thread.join(max(0.0, end - self._monotonic()))
        late = "has not answered in time"
        return tuple(found.get(one.url, Outcome(one.key.name, "unreachable", late)) for one in self.places)

    def _one(self, log: AuditLog, place: Place) -> Outcome:
        name, checkpoint = place.key.name, log.checkpoint()
        try:
            for _ in range(3):
                old = min(self._seen.get(place.url, 0), checkpoint.size)
                asked = Post(f"{place.url.rstrip('/')}/add-checkpoint", ask_witness(log, old))
                answer = post(asked, seconds=self._patience, ca_file=self._ca_file)
                outcome = outcome_of(place.key, checkpoint, old, answer)
                if outcome.size is not None:
                    self._seen[place.url] = outcome.size
                if outcome.kind != "unreachable" or outcome.size is None:
                    return outcome
        except LedgerError as error:
            return Outcome(name, "unreachable", error.reason)
        except LogError as error:
            return Outcome(name, "refuses", error.reason)
        return Outcome(name, "unreachable", "what it has seen changes all the time")


def parse_place(text: str) -> Place:
    """The witness of a line ``VKEY URL``.

    Raises:
        LedgerError: it is not of this form.
    """
    key, _, url = text.strip().partition(" ")
    check_url(url.strip())
    try:
        return Place(parse_witness(key), url.strip())
    except LogError as error:
        raise LedgerError(f"a witness is a line VKEY URL: {error.reason}") from error


def outcome_of(key: CosignatureKey, checkpoint: Checkpoint, old: int, answer: Answer) -> Outcome:
    """What an answer means; an ``unreachable`` with a size asks for another try."""
    name, status = key.name, answer.status
    if status == 200:
        return Outcome(name, "signed", line=_line(key, checkpoint, answer.body), size=checkpoint.size)
    if status == 409 and answer.media_type == _SIZE:
        seen = _size(answer.body)
        if seen is not None and seen > checkpoint.size:
            words = f"it has seen {seen} entries, and the log has {checkpoint.size}: it is an older copy"
            return Outcome(name, "contradicts", words, size=seen)
        if seen == old:
            words = f"it has signed another state of {old} entries: the log was rewritten"
            return Outcome(name, "contradicts", words)
        if seen is not None:
            return Outcome(name, "unreachable", "another size", size=seen)
    if status == 422:
        words = f"the log does not continue the {old} entries that it has seen: it was rewritten"
        return Outcome(name, "contradicts", words)
    if status in (400, 403, 404):
        return Outcome(name, "refuses", f"HTTP status {status}")
    return Outcome(name, "unreachable", f"HTTP status {status}")


def _line(key: CosignatureKey, checkpoint: Checkpoint, body: bytes) -> str:
    """That line of an answer which is the signature of the witness; raises LogError if there is none."""
    try:
        lines = body.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise LogError("its answer is not UTF-8") from None
    for line in lines[:8]:
        if line.startswith(f"— {key.name} "):
            try:
                key.seen(witnessed(checkpoint.note, f"{line}\n"))
            except LogError:
                continue  # of another key of the same name
            return f"{line}\n"
    raise LogError("its answer has no signature of its key")


def _size(body: bytes) -> int | None:
    text = body[:32].rstrip(b"\n")
    return int(text) if text.isdigit() and len(text) < 20 else None
