"""What a blast radius is worked out from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from immure.detections.ledger_side import IssuerSide
    from immure.registry.record import KeyRecord
    from immure.tokens.policy import Policy

#: Seconds without a row after which a log counts as silent.
SILENCE: Final = 86_400
#: Acceptances of a window.
WINDOW_ROWS: Final = 3_000_000
#: Subjects, and mailboxes, of the largest radius.
MOST_SUBJECTS: Final = 5_000_000
#: Relying parties that logs may name.
MOST_PARTIES: Final = 5000


@dataclass(frozen=True)
class Party:
    """What is known of a relying party beside its log.

    Attributes:
        name: as its log has it.
        audience: the ``aud`` of tokens for it; empty if nobody says.
        policy: by which it takes tokens.
        probe: a report of ``immure probe`` on it, as JSON.
    """

    name: str
    audience: str = ""
    policy: Policy | None = None
    probe: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RadiusSettings:
    """What is asked.

    Attributes:
        kid, issuer: of the key.
        record: of the key in the registry; None without one.
        namesakes: records of other keys under the same kid.
        begin, end: seconds since 1970; without a begin, since when the key may have been known to others, or
            else since it became active, or else since the logs begin.
        parties: relying parties.
        tenants: tenants that are known to exist, also if no log names them.
        apps, addresses: mailbox records of these applications and IP addresses count as the thief's: a person
            has seen that they are.
        silence: seconds without a row after which a log is silent: what happened then is unknown.
        memory, threads: of the engine.
        window_rows: acceptances of a window.
        tokens: file into which every token that counts is written; None writes none.
    """

    kid: str
    issuer: str = ""
    record: KeyRecord | None = None
    namesakes: Sequence[KeyRecord] = ()
    begin: int | None = None
    end: int = 0
    parties: Sequence[Party] = ()
    tenants: Sequence[str] = ()
    apps: Sequence[str] = ()
    addresses: Sequence[str] = ()
    silence: int = SILENCE
    memory: str = "256MB"
    threads: int | None = None
    window_rows: int = WINDOW_ROWS
    tokens: Path | None = None


@dataclass(frozen=True)
class Known:
    """What was seen when the logs were taken in and held against the ledger.

    Attributes:
        sides: what the ledger knows; None if there is none, and then every token under the kid counts.
        missing: why something could not be read.
        lost: how many records of each source were not understood.
    """

    sides: Mapping[str, IssuerSide] | None = None
    missing: Sequence[str] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
