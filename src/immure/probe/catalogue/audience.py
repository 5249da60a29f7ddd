"""Tokens for somebody else. All are signed by the target's own key."""

from __future__ import annotations

from typing import Final

from immure.probe.case import Case
from immure.probe.mint import ABSENT, Mint

_AUD: Final = "RFC 7519, section 4.1.3; RFC 8725, section 3.9"
_ELSE: Final = "https://elsewhere.immure-probe.invalid"


def _other(m: Mint) -> str:
    return m.token(aud=m.kit.other_scope(same_class=False).audience)


CASES: Final = (
    Case("audience.other", "The audience of another scope", _AUD, "high", _other),
    Case("audience.unknown", "An audience that nobody knows", _AUD, "high", lambda m: m.token(aud=_ELSE)),
    Case("audience.absent", "aud is not there", _AUD, "high", lambda m: m.token(aud=ABSENT)),
    Case("audience.null", "aud is null", _AUD, "high", lambda m: m.token(aud=None)),
    Case("audience.empty", "aud is empty", _AUD, "high", lambda m: m.token(aud="")),
    Case("audience.empty-list", "aud is an empty list", _AUD, "high", lambda m: m.token(aud=[])),
    Case("audience.others", "A list of others", _AUD, "high", lambda m: m.token(aud=[_ELSE, f"{_ELSE}/2"])),
    Case("audience.with-others", "A list of the right one and another", _AUD, "low",
         lambda m: m.token(aud=[m.target.audience, _ELSE]), "may"),
    Case("audience.mixed-list", "A list of the right one and a number", _AUD, "medium",
         lambda m: m.token(aud=[m.target.audience, 7])),
    Case("audience.nested-list", "A list with a list in it", _AUD, "medium",
         lambda m: m.token(aud=[[m.target.audience]])),
    Case("audience.object", "An object with the right one as a name", _AUD, "medium",
         lambda m: m.token(aud={m.target.audience: True})),
    Case("audience.number", "aud is a number", _AUD, "medium", lambda m: m.token(aud=7)),
    Case("audience.true", "aud is true", _AUD, "medium", lambda m: m.token(aud=True)),
    Case("audience.wildcard", "aud is *", _AUD, "high", lambda m: m.token(aud="*")),
    Case("audience.longer", "The right one, and more at the end", _AUD, "high",
         lambda m: m.token(aud=m.target.audience + ".immure-probe.invalid")),
    Case("audience.shorter", "The right one without its last character", _AUD, "high",
         lambda m: m.token(aud=m.target.audience[:-1])),
    Case("audience.inside", "The right one inside a longer text", _AUD, "high",
         lambda m: m.token(aud=f"{_ELSE}?for={m.target.audience}")),
    Case("audience.upper-case", "In upper case", _AUD, "medium",
         lambda m: m.token(aud=m.target.audience.swapcase())),
    Case("audience.blank-separated", "The right one and another in one text", _AUD, "medium",
         lambda m: m.token(aud=f"{m.target.audience} {_ELSE}")),
    Case("audience.in-azp", "The right one in azp only", _AUD, "high",
         lambda m: m.token(aud=_ELSE, azp=m.target.audience, client_id=m.target.audience)),
)  # fmt: skip
