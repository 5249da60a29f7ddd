"""What an incident is opened on.

>>> Finding("key-in-dump", kid="k1", issuer="https://login.example", summary="found in app.core").kind
'key-in-dump'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from immure.response.errors import FormError
from immure.response.timeline import JsonValue

#: Kinds of findings, and what each says.
FINDING_KINDS: Final = {
    "key-in-dump": "a private key was found in a memory image",
    "forged-token": "a token was accepted that was never issued",
    "hsm-counter": "an HSM made more signatures than the ledger has rows",
    "report": "somebody from outside says so",
    "relying-party": "a relying party accepts what it must refuse",
    "suspected": "a key may be known to others, and it is not known how",
}
MOST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes:
        kind: one of :data:`FINDING_KINDS`.
        kid: of the key concerned, as its issuer's key set calls it.
        issuer: the ``iss`` of its tokens; empty if that is not known yet.
        summary: in a line.
        details: more that is known: digests, never a secret.
        source: from where: a report's path, a finding's id, a person.

    Raises:
        FormError: a kind that is none, or a text that is empty, too long, or more than a line.
    """

    kind: str
    kid: str
    issuer: str = ""
    summary: str = ""
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FINDING_KINDS:
            raise FormError(f"no kind of finding: {self.kind[:40]!a}; kinds are {', '.join(FINDING_KINDS)}")
        if not self.kid:
            raise FormError("a finding names a key: its kid is empty")
        for name in ("kid", "issuer", "summary", "source"):
            text = getattr(self, name)
            if len(text) > MOST_TEXT or (text and not text.isprintable()):
                raise FormError(f"the {name} of a finding is a line of up to {MOST_TEXT} characters")

    def plain(self) -> dict[str, JsonValue]:
        """As the log has it."""
        return {
            "kind": self.kind,
            "kid": self.kid,
            "issuer": self.issuer,
            "summary": self.summary,
            "details": dict(self.details),
            "source": self.source,
        }

    @classmethod
    def from_plain(cls, members: object) -> Finding:
        """The finding that :meth:`plain` has made this of; raises FormError."""
        names = {"kind", "kid", "issuer", "summary", "details", "source"}
        if not isinstance(members, Mapping) or set(members) != names:
            raise FormError(f"a finding is an object of {', '.join(sorted(names))}")
        texts = {name: members[name] for name in names - {"details"}}
        details = members["details"]
        if not all(isinstance(text, str) for text in texts.values()) or not isinstance(details, Mapping):
            raise FormError("a finding's members are texts, and its details an object")
        return cls(details=details, **texts)
