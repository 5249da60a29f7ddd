"""The gate: closed, unless a dump has a clearance that the policy accepts, and a log that says so.

    gate = Gate(store=vault, policies=PolicyFile("policy.toml"), verifier=EnvelopeVerifier(), log=log)
    request = Request(FileSource("app.core"), ClearanceFile("app.core.intoto.json"), there, "app.core")
    receipt = gate.release(request)

One release is one pass through :meth:`Gate.steps`, from top to bottom. What must hold at every moment, also
if others change files, policies and clocks meanwhile, and if the process dies anywhere: whatever is visible
at a destination has the digest that a valid clearance names, under the policy in force when it became
visible, and an entry of the log had allowed it before. ``docs/explanation/the-gate.md`` says why each step is
where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from immure import clock as clocks
from immure.attest.verify import SKEW
from immure.clock import Clock
from immure.dumps.dump import Reader
from immure.errors import AttestationError, PolicyError, RefusedError, VaultError
from immure.transfer.case import Case, Decision, NotShown, Outcome
from immure.transfer.destinations.interface import Destination, Placed, Stage
from immure.transfer.interfaces import DecisionLog, Grants, PolicySource, Readable, Store, Verifier
from immure.transfer.journal import Journal, refusal
from immure.transfer.places import check_name
from immure.transfer.policy import Policy
from immure.transfer.receipt import Receipt
from immure.transfer.rules import decide
from immure.transfer.sources import Source

#: Bytes that are sent at a time.
PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of the gate: this dump, with this clearance, to that place under that name."""

    source: Source
    clearance: Readable
    destination: Destination
    name: str
    grant: bytes | None = None


class Step(Enum):
    """How far a release is. Between two steps anything may happen in the world."""

    SEALED = "the dump is sealed; its path is not used any more"
    POLICY = "the policy is read"
    CLEARANCE = "the clearance is read; its path is not used any more"
    DECIDED = "the rules were asked"
    LOGGED = "the log allows it"
    STAGED = "one more piece is at the destination, and not visible"
    PREPARED = "all of them are, and have the digest that is cleared"
    HELD = "the policy was read again, and cannot be replaced now"
    COMMITTED = "the dump is visible"


class Gate:
    """Releases dumps.

    Args:
        store: seals what arrives.
        policies: gives the policy in force.
        verifier: checks the signatures of clearances.
        log: takes every decision.
        clock: tells the time.
        grants: knows what people have granted; None if nobody does.
        on_decision: is told of each decision before it takes effect.
        piece_bytes: how much is sent at a time.
    """

    def __init__(
        self,
        *,
        store: Store,
        policies: PolicySource,
        verifier: Verifier,
        log: DecisionLog,
        clock: Clock = clocks.now,
        grants: Grants | None = None,
        on_decision: Callable[[Decision], None] = lambda decision: None,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self._store = store
        self._policies = policies
        self._verifier = verifier
        self._log = log
        self._clock = clock
        self._grants = grants
        self._on_decision = on_decision
        self._piece_bytes = piece_bytes

    def release(self, request: Request) -> Receipt:
        """Release a dump, or say why not.

        Raises:
            RefusedError: a rule says no. Nothing is visible, and the log says why.
            PolicyError: there is no policy that can be understood. Nothing is visible.
            TransferError: it was allowed and could not be done. Nothing is visible, or the error says so.
            VaultError: the dump could not be sealed, or not be read back. Nothing is visible.
            LogError: something could not be logged. Nothing is visible, or the error says so.
            UsageError: the dump cannot be opened.
        """
        steps = self.steps(request)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                receipt: Receipt = end.value
                return receipt

    def steps(self, request: Request) -> Generator[Step, None, Receipt]:
        """The same, with a pause after each step."""
        check_name(request.name)
        arrived = request.source.seal_into(self._store, self._clock)
        case = Case(
            sha256=arrived.sealed.digest,
            size=arrived.sealed.size,
            taken=arrived.taken,
            now=self._clock(),
            destination=request.destination.url,
            name=request.name,
        )
        yield Step.SEALED
        policy = self._read_policy(case, request)
        yield Step.POLICY
        envelope, why_not = _read(request.clearance)
        yield Step.CLEARANCE
        case = self._shown(replace(case, now=self._clock()), policy, envelope, why_not, request.grant)
        decision = decide(policy, case)
        self._on_decision(decision)
        yield Step.DECIDED
        journal = Journal(self._log, _evidence(envelope, request.grant), request.source.path)
        allowed = journal.decided(decision)
        yield Step.LOGGED
        try:
            placed = yield from self._transfer(request, decision)
        except (Exception, KeyboardInterrupt) as error:
            journal.failed(allowed, decision, error)
            raise
        yield Step.COMMITTED
        done, checkpoint = journal.done(allowed, decision, placed, self._clock)
        return Receipt(decision, _evidence(envelope, request.grant), placed, allowed, done, checkpoint)

    def _read_policy(self, case: Case, request: Request) -> Policy:
        try:
            return self._policies.read()
        except PolicyError as error:
            decision = Decision(case, None, (Outcome("policy", False, str(error)),))
            self._on_decision(decision)
            try:
                Journal(self._log, _evidence(None, request.grant), request.source.path).decided(decision)
            except RefusedError:
                raise error from None
            raise

    def _shown(
        self, case: Case, policy: Policy, envelope: bytes | None, why_not: str, grant: bytes | None
    ) -> Case:
        """The case with what a clearance and a grant add to it."""
        if envelope is None:
            case = replace(case, shown=NotShown("clearance", why_not))
        else:
            case = replace(case, shown=self._verifier.verify(envelope, policy.signers, self._clock))
        if self._grants is not None and (grant is not None or policy.grant_required):
            reason = self._grants.fault(grant, case)
            return replace(case, grant=reason is None, granted=reason or "")
        if grant is not None:
            return replace(case, granted="no room was named that could have given a grant")
        return case

    def _transfer(self, request: Request, decision: Decision) -> Generator[Step, None, Placed]:
        case = decision.case
        with request.destination.stage(request.name, case.size) as stage:
            yield from self._stage(stage, case)
            stage.prepare()
            yield Step.PREPARED
            try:
                with self._policies.held() as policy:
                    yield Step.HELD
                    self._check_again(decision, policy, request)
                    return stage.commit(case.sha256)
            except PolicyError as error:
                reason = f"not released: the policy cannot be read any more: {error}"
                raise RefusedError(reason, rule="policy-unchanged", path=request.source.path) from error

    def _stage(self, stage: Stage, case: Case) -> Generator[Step, None, None]:
        """Send the sealed copy, and see that what was sent is what is cleared."""
        sent = hashlib.sha256()
        reader = self._store.open_dump(f"sha256:{case.sha256}")
        try:
            for piece in _pieces(reader, self._piece_bytes):
                sent.update(piece)
                stage.write(piece)
                yield Step.STAGED
        finally:
            reader.close()
        if sent.hexdigest() != case.sha256:
            raise VaultError("gave back other bytes than were sealed", path=f"sha256:{case.sha256}")

    def _check_again(self, decision: Decision, policy: Policy, request: Request) -> None:
        """Ask the rules once more, by the policy, the clock and the grants of this moment."""
        now, path = self._clock(), request.source.path
        if policy.version != decision.policy:
            reason = "not released: the policy has changed since the decision; ask again"
            raise RefusedError(reason, rule="policy-unchanged", path=path)
        if now < decision.case.now - SKEW:
            reason = "not released: the clock was set back since the decision; ask again"
            raise RefusedError(reason, rule="clock", path=path)
        again = decide(policy, replace(decision.case, now=now))
        if not again.allowed:
            raise refusal(again, path)
        if decision.case.grant and self._grants is not None:
            self._grants.use(request.grant, decision.case)


def _read(clearance: Readable) -> tuple[bytes | None, str]:
    """The envelope, or why there is none."""
    try:
        return clearance.read(), ""
    except AttestationError as error:
        return None, f"there is no clearance: {error}"


def _pieces(reader: Reader, length: int) -> Iterator[bytes]:
    offset = 0
    while piece := reader.read(offset, length):
        yield piece
        offset += len(piece)


def _evidence(envelope: bytes | None, grant: bytes | None) -> dict[str, str | None]:
    """Which files were shown, by their digests."""
    return {
        "clearance": hashlib.sha256(envelope).hexdigest() if envelope is not None else None,
        "grant": hashlib.sha256(grant).hexdigest() if grant is not None else None,
    }
