"""The clearance, version 1: what was searched, found, erased and proved of a dump, and until when that holds.

The predicate of a statement whose one subject is the file that may leave. Its shape is in
``clearance-1.schema.json``; what a schema cannot say is checked here besides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from immure.attest.clearance_parts import (
    MAX_FINDINGS,
    MAX_RANGES,
    ClearedFinding,
    Decision,
    DumpFacts,
    FileFacts,
    NotSearched,
    Redaction,
    Searched,
    Tool,
    plain,
)
from immure.attest.clearance_proof import Proof
from immure.attest.fields import Fields
from immure.attest.reasons import Reason, refusal
from immure.attest.statement import Digest, Statement, Subject
from immure.clock import to_rfc3339

#: The type of the predicate, without and with its version.
CLEARANCE: Final = "https://immure.example/predicates/clearance/"
CLEARANCE_V1: Final = f"{CLEARANCE}v1"
SCHEMA_FILE: Final = "clearance-1.schema.json"


@dataclass(frozen=True, slots=True)
class Clearance:
    """What is said of a dump that may leave.

    Attributes:
        tool: what made this.
        issued, expires: from when to when it holds (UTC, to the second).
        dump: the file that is cleared.
        source: the file that it was made of.
        searched: what was searched for, and how.
        not_searched: what was left out.
        findings: keys that were in the source.
        redactions: what was erased; offsets are those of what comes out if the file is compressed.
        proof: what shows that nothing is left.
        decision: what a policy said, if one was asked.
    """

    tool: Tool
    issued: datetime
    expires: datetime
    dump: DumpFacts
    source: FileFacts
    searched: Searched
    not_searched: tuple[NotSearched, ...]
    findings: tuple[ClearedFinding, ...]
    redactions: tuple[Redaction, ...]
    proof: Proof
    decision: Decision | None

    @classmethod
    def of(cls, *, issued: datetime, expires: datetime, **members: Any) -> Clearance:
        """A clearance from plain values: two moments, the rest texts, numbers, lists and objects as in JSON.

        Args:
            issued, expires: with a time zone; a fraction of a second is cut off.
            members: the other members, by the names of the attributes.

        Raises:
            AttestationError: a member is missing, not known or malformed.
        """
        moments = {"issued": _whole_seconds(issued), "expires": _whole_seconds(expires)}
        # half of a surrogate pair, in a name out of an image, is no reason to keep the dump: it becomes a ?
        text = json.dumps({**members, **moments}, ensure_ascii=False)
        return cls.from_json(json.loads(text.encode("utf-8", "replace")))

    @classmethod
    def from_json(cls, value: object) -> Clearance:
        """From decoded JSON.

        Raises:
            AttestationError: a member is missing, not known, of the wrong type or out of its range.
        """
        fields = Fields(value, "", Reason.PREDICATE)
        made = cls(
            tool=fields.inside("tool", Tool.read),
            issued=fields.moment("issued"),
            expires=fields.moment("expires"),
            dump=fields.inside("dump", DumpFacts.read),
            source=fields.inside("source", FileFacts.read),
            searched=fields.inside("searched", Searched.read),
            not_searched=fields.items("not_searched", MAX_RANGES, NotSearched.read),
            findings=fields.items("findings", MAX_FINDINGS, ClearedFinding.read),
            redactions=fields.items("redactions", MAX_RANGES, Redaction.read),
            proof=fields.inside("proof", Proof.read),
            decision=fields.nullable("decision", lambda name: fields.inside(name, Decision.read)),
        )
        fields.done()
        if made.expires <= made.issued:
            raise fields.error("expires", "is not after issued")
        return made

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "tool": plain(self.tool),
            "issued": to_rfc3339(self.issued),
            "expires": to_rfc3339(self.expires),
            "dump": plain(self.dump),
            "source": plain(self.source),
            "searched": self.searched.to_json(),
            "not_searched": [plain(one) for one in self.not_searched],
            "findings": [one.to_json() for one in self.findings],
            "redactions": [plain(one) for one in self.redactions],
            "proof": self.proof.to_json(),
            "decision": None if self.decision is None else self.decision.to_json(),
        }

    def statement(self, name: str, sha256: str) -> Statement:
        """The statement that says this of the file with that digest."""
        return Statement((Subject(name, sha256),), CLEARANCE_V1, self.to_json())

    def check_clears(self, digest: Digest) -> None:
        """Whether this clears a file of these bytes; returns if it does.

        Raises:
            AttestationError: the size is another, the proof does not hold, or the policy said no.
        """
        if self.dump.size != digest.size:
            raise refusal(Reason.OTHER_BYTES, f"{digest.size} bytes; it says {self.dump.size}")
        if not self.proof.holds:
            raise refusal(Reason.NOT_CLEARED, "its proof does not hold")
        if self.decision is not None and not self.decision.allowed:
            raise refusal(Reason.NOT_CLEARED, "the policy did not allow it")


def _whole_seconds(moment: datetime) -> str:
    return to_rfc3339(moment.astimezone(UTC).replace(microsecond=0))


def read_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a clearance."""
    from importlib.resources import files

    text = files("immure.attest").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
