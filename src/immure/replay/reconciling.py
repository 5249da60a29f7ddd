"""The issuer's view: accepted tokens against issued ones, by the digest of what was signed.

Where the extra ``detect`` is installed, ``immure detect run`` does it, on what the issuer would hand out: its
ledger as segments, held against the signed log, its registry, and the doorkeeper's log of acceptances. Where
it is not, each accepted token is looked up in the ledger.

``never issued`` may be said only of tokens from before the watermark; until it has passed them, nothing is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

from immure.ledger.opening import open_ledger
from immure.ledger.verdict import look_up
from immure.replay.errors import ReplayError
from immure.replay.issuers import Issuer
from immure.replay.record import Reconciler
from immure.tokens.acceptance.decision import Decision
from immure.tokens.acceptance.reader import read_decisions

_LIBRARIES: Final = ("duckdb", "msgspec", "pyarrow", "yaml")
_FORGED: Final = "token-forged"
#: Of such rules' kinds: those that look at acceptances, and at the ledger itself.
_KINDS: Final = ("row", "reconciliation", "ledger")
_WAITING: Final = ("not-yet-known", "unknown")


class Reconciliation(ABC):
    """See the module.

    Args:
        log: directory of the log of acceptances.
        issuer: that the tokens name.

    Attributes:
        forged: acceptances of tokens that were never issued, by digest.
        issued: how many were.
        waiting: how many nothing can be said of yet.
        also: what other rules found, and of how many acceptances.
    """

    name: ClassVar[Reconciler]
    words: ClassVar[str]

    def __init__(self, log: Path, issuer: Issuer) -> None:
        self._log, self._issuer = log, issuer
        self.forged: dict[bytes, Decision] = {}
        self.issued = self.waiting = 0
        self.also: dict[str, int] = {}

    def look(self) -> str | None:
        """Compare; what was found, in words, if anything was.

        Raises:
            ImmureError: log or ledger cannot be read.
        """
        self._compare()
        if not self.forged:
            return None
        kids = sorted({row.kid or "?" for row in self.forged.values()})
        return f"a token was accepted that the issuer has never issued, signed by {', '.join(kids)}"

    @abstractmethod
    def _compare(self) -> None:
        """Bring the attributes up to date."""

    def _accepted(self) -> list[Decision]:
        rows = read_decisions(self._log, notice=lambda _: None)
        return [row for row in rows if row.verdict == "accepted" and row.digest is not None]


class ByLedger(Reconciliation):
    """Looks each accepted token up."""

    name = "ledger"
    words = "looked up in the ledger, one by one (immure[detect] is not installed)"

    def _compare(self) -> None:
        found: Counter[str] = Counter()
        with open_ledger(str(self._issuer.ledger)) as store:
            for row in self._accepted():
                digest = row.digest or b""
                if digest in self.forged:
                    continue
                answer = look_up(store, digest, issuer=row.issuer, issued_at=row.issued_at)
                found[answer.verdict] += 1
                if answer.verdict == "never-issued":
                    self.forged[digest] = row
        self.issued, self.waiting = found["issued"], found["not-yet-known"]


class ByDetection(Reconciliation):
    """As ``immure detect run`` does, with a state of its own that remembers what it has read.

    Args:
        room: a directory of its own, for segments and state.
    """

    name = "detect"
    words = "immure detect: segments of the ledger against its signed log, and the log of acceptances"

    def __init__(self, log: Path, issuer: Issuer, room: Path) -> None:
        super().__init__(log, issuer)
        self._room = room
        self._seen: tuple[int, int] | None = None

    def _compare(self) -> None:
        stamp = self._export(), self._size()
        if stamp != self._seen:  # else nothing has come that could change what was said
            self._turn()
            self._seen = stamp

    def _export(self) -> int:
        """Bring the segments up to date; how many batches the log has: each may bring a later watermark."""
        from immure.ledger.segments import export

        with open_ledger(str(self._issuer.ledger)) as store:
            for _ in export(store, self._issuer.url, self._segments):
                pass
            return store.standing(self._issuer.url).batches

    @property
    def _segments(self) -> Path:
        return self._room / "segments"

    def _size(self) -> int:
        size = 0
        try:
            for one in self._log.iterdir():
                with suppress(FileNotFoundError):  # sealed just now, under another name
                    size += one.stat().st_size
        except OSError as error:
            words = f"the log of acceptances cannot be read: {error.strerror}"
            raise ReplayError(words, path=str(self._log)) from error
        return size

    def _turn(self) -> None:
        from immure.detections.cycle import Cycle
        from immure.detections.key_facts import Knowledge
        from immure.detections.rule_files import built_in
        from immure.detections.settings import Input, LedgerInput, Settings
        from immure.detections.state import State
        from immure.registry.opening import open_store

        with open_store(str(self._issuer.registry)) as store:
            knowledge = Knowledge(store.records())
        settings = Settings(
            [rule for rule in built_in() if rule.kind in _KINDS and rule.about == "acceptance"],
            [Input(self._log, "acceptance-log")],
            LedgerInput(self._segments, self._issuer.ledger_log, self._issuer.log_key),
            knowledge,
            threads=1,
            ended=False,
        )
        rows = self._accepted()
        with State(self._room / "state") as state:
            outcome = Cycle(state, settings).run()
        judged = sum(outcome.verdicts.values())
        if judged < len(rows):  # what was not read must not look as if it were all right
            words = "; ".join(outcome.missing) or "no reason is given"
            raise ReplayError(f"{judged} of {len(rows)} accepted tokens were looked at: {words}")
        digests = {one.keys["digest"] for one in outcome.findings if one.rule == _FORGED}
        if digests:  # some may have been read since then
            rows = self._accepted()
        self.forged = {row.digest: row for row in rows if row.digest and row.digest.hex() in digests}
        self.issued = outcome.verdicts.get("issued", 0)
        self.waiting = sum(outcome.verdicts.get(name, 0) for name in _WAITING)
        also: Counter[str] = Counter()
        for one in outcome.findings:
            also[one.rule] += one.count
        self.also = {rule: count for rule, count in sorted(also.items()) if rule != _FORGED}


def reconciliation(log: Path, issuer: Issuer, room: Path) -> Reconciliation:
    """The best that there is here; ``room`` is a directory of its own."""
    if all(find_spec(name) is not None for name in _LIBRARIES):
        return ByDetection(log, issuer, room)
    return ByLedger(log, issuer)
