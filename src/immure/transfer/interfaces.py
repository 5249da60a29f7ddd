"""What the gate asks of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from immure.auditlog import JSON, Checkpoint, Entry
from immure.clock import Clock
from immure.dumps.dump import Reader
from immure.transfer.case import Case, NotShown, Shown
from immure.transfer.policy import Policy, SignerRules
from immure.vault.records import Sealed


class Store(Protocol):
    """Seals dumps (:class:`immure.vault.Vault` does)."""

    def seal(self, pieces: Iterable[bytes] | BinaryIO, *, name: str, clock: Clock) -> Sealed:
        """Seal a stream; see :meth:`immure.vault.Vault.seal`."""

    def get(self, identity: str) -> Sealed:
        """A dump that is there; see :meth:`immure.vault.Vault.get`."""

    def open_dump(self, identity: str) -> Reader:
        """Read it; see :meth:`immure.vault.Vault.open_dump`."""


class PolicySource(Protocol):
    """Where a gate gets its policy (:class:`immure.transfer.policy_file.PolicyFile`)."""

    def read(self) -> Policy:
        """The policy as it is now.

        Raises:
            PolicyError: there is none that can be understood.
        """

    def held(self) -> AbstractContextManager[Policy]:
        """The policy as it is now, which cannot be replaced (by who respects locks) until the block ends.

        Raises:
            PolicyError: there is none that can be understood.
        """


class Verifier(Protocol):
    """Checks the signatures on an envelope (:class:`immure.transfer.wiring.EnvelopeVerifier`)."""

    def verify(self, envelope: bytes, signers: SignerRules, now: Clock) -> Shown | NotShown:
        """The clearance in it, if enough of those have signed it who may; or why there is none."""


class Grants(Protocol):
    """What people have granted (:class:`immure.transfer.room_grants.RoomGrants`)."""

    def fault(self, shown: bytes | None, case: Case) -> str | None:
        """Why nobody's grant allows this release now; None if one does.

        Args:
            shown: what was shown as a grant, if anything was.
            case: what is to be released.
        """

    def use(self, shown: bytes | None, case: Case) -> None:
        """Note that a grant is used for this release, which is about to become visible.

        Raises:
            RefusedError: it is not live any more.
            LogError: it is not certain that it was noted.
        """


class DecisionLog(Protocol):
    """A log whose entries last (:class:`immure.auditlog.AuditLog`)."""

    def append(self, kind: str, body: Mapping[str, JSON]) -> Entry:
        """Write an entry.

        Raises:
            LogError: it is not certain that it is there.
        """

    def checkpoint(self) -> Checkpoint:
        """The signed state."""


class Readable(Protocol):
    """An envelope that can be read (:class:`immure.transfer.sources.ClearanceFile`)."""

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            AttestationError: there are none.
        """
