"""One question of the catalogue: a token, what it does wrong, and what says so.

>>> case = Case("alg.none", "Unsigned", "RFC 8725, section 3.2", "critical", lambda mint: "e30.e30.")
>>> case.group, case.expected
('alg', 'refuse')

A case whose token a relying party must refuse is expected to be refused. Where the standards leave it open
(``may``), letting the token in is not a hole: it is reported as a remark, and changes no exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal

from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.probe.mint import Mint

Severity = Literal["critical", "high", "medium", "low"]
Expected = Literal["refuse", "may"]

#: The groups of the catalogue, and what their tokens have in common.
GROUPS: Final = {
    "scope": "A genuine key signs for what it must not sign for",
    "issuer": "The issuer is not quite the one that is trusted",
    "audience": "The token is for somebody else",
    "alg": "The algorithm is none, or another than the key's",
    "hmac": "A public key, or something else that is public, is used as a secret",
    "injected": "The token brings its own key, or says where to get it",
    "kid": "The name of the key is an attack",
    "header": "The header is malformed, or asks for an extension",
    "form": "The text is not a token, or not only one",
    "json": "The JSON is malformed, or means two things",
    "signature": "The signature does not hold, or is written otherwise",
    "claim": "A claim has passed, is to come, or has the wrong type",
    "typ": "A token of another kind",
    "jwe": "An encryption is put around the token",
    "bound": "A token that only its holder may use, without the holder",
    "size": "Too large, or too deep",
}


@dataclass(frozen=True)
class Case:
    """A question.

    Attributes:
        id: group, point, name; never changes once released.
        title: what the token does, in words.
        reference: the standard that says what is right.
        severity: how bad it is to let the token in.
        build: makes the token. Of several, all but the last are let in first, as those before a replay.
        expected: what a relying party does that keeps to the standard.
    """

    id: str
    title: str
    reference: str
    severity: Severity
    build: Callable[[Mint], str | Sequence[str]]
    expected: Expected = "refuse"

    @property
    def group(self) -> str:
        """The part of the id before the point."""
        return self.id.partition(".")[0]

    def tokens(self, mint: Mint) -> tuple[str, ...]:
        """The tokens, in the order in which they are sent.

        Raises:
            MissingError: the kit lacks what they need.
        """
        built = self.build(mint)
        return (built,) if isinstance(built, str) else tuple(built)


def chosen(cases: Iterable[Case], only: Sequence[str] = (), skip: Sequence[str] = ()) -> list[Case]:
    """The cases that are asked for: by id, by group, or by a pattern such as ``alg.*``.

    Raises:
        UsageError: a name fits none.
    """
    every = list(cases)
    for name in (*only, *skip):
        if not any(_fits(case, name) for case in every):
            raise UsageError(f"no case or group fits {name[:80]!a}; --list shows all")
    return [
        case
        for case in every
        if (not only or any(_fits(case, name) for name in only))
        and not any(_fits(case, name) for name in skip)
    ]


def _fits(case: Case, name: str) -> bool:
    return name in (case.id, case.group) or fnmatchcase(case.id, name)
