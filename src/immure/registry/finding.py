"""What an audit of keys finds: stable codes, how bad each is, and what each permits.

>>> AuditFinding("expired", "jwks.json", "k1", "…", "its time ran out").severity
'high'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Severity = Literal["high", "medium", "low"]
SEVERITIES: Final[tuple[Severity, ...]] = ("high", "medium", "low")


@dataclass(frozen=True)
class Kind:
    """A kind of finding: how bad it is, and what it permits, if nothing more can be said."""

    severity: Severity
    permits: str


#: Every code that there is. Codes never change once released.
KINDS: Final[dict[str, Kind]] = {
    "pooled": Kind("high", "a token of one scope signed with a key of another, wherever the verifier picks "
                           "the key by its kid and does not compare its issuer with the token's"),
    "unscoped": Kind("medium", "signing for whatever issuer the verifier trusts this set for: nothing in "
                               "the key says whose it is"),
    "mixed": Kind("high", "signing for any issuer of the set: beside keys that say whose they are, a "
                          "verifier that checks this only where it is said lets this one pass"),
    "many-classes": Kind("medium", "a token for one kind of audience that another kind accepts, signed "
                                   "with the same key"),
    "expired": Kind("high", "tokens of whoever kept or stole the private half since, wherever only the "
                            "signature is checked"),
    "not-yet-valid": Kind("low", "tokens before the time at which the key was to be used"),
    "over-age": Kind("medium", "whoever took the private half at any time since to go on signing"),
    "duplicate-kid": Kind("high", "a token to be checked with another key than was meant: which of the two "
                                  "is taken differs between libraries"),
    "duplicate-key": Kind("medium", "signing on under the other kid when one is withdrawn"),
    "no-kid": Kind("low", "any key of the set to be tried for a token, as none can be picked"),
    "weak-rsa": Kind("high", ""),
    "small-exponent": Kind("medium", ""),
    "roca": Kind("high", ""),
    "close-primes": Kind("high", ""),
    "small-order": Kind("high", ""),
    "wrong-curve": Kind("medium", ""),
    "wrong-algorithm": Kind("medium", "an algorithm that does not fit the key to be chosen by the token"),
    "known-private": Kind("high", "everybody to sign: the private half is printed in public"),
    "private": Kind("high", "everybody who can read this document to sign in the issuer's name"),
    "symmetric": Kind("high", "everybody who can read this document to sign: who can check can also sign"),
    "malformed": Kind("medium", "nothing, or anything: libraries differ in what they make of it"),
    "unknown-type": Kind("low", "nothing, where the verifier leaves such keys out (RFC 7517, section 5)"),
    "wrong-certificate": Kind("medium", "two keys under one kid: a verifier may take the certificate's"),
    "issuer-mismatch": Kind("high", "the keys of another issuer to be taken for this one's"),
    "revoked": Kind("high", "whoever has the private half to go on signing where `revoked` is not known"),
    "published-compromised": Kind("high", "whoever has the private half to sign in the issuer's name"),
    "published-destroyed": Kind("high", "tokens of a key that should not exist any more"),
    "published-suspended": Kind("high", "tokens of a key that was taken out of use for a reason"),
    "published-retired": Kind("medium", "new tokens of a key that was retired, by whoever kept it"),
    "published-early": Kind("low", "tokens of a key that is not in use yet"),
    "scope-differs": Kind("high", "signing for whom this document says, and not for whom the registry says"),
    "unknown": Kind("medium", "signing with a key that nobody has put on record"),
}  # fmt: skip


@dataclass(frozen=True)
class AuditFinding:
    """One thing that is wrong.

    Attributes:
        code: one of :data:`KINDS`.
        source: the document or registry.
        kid, thumbprint: of the key, as far as it has them; neither if it is about the set.
        words: what is wrong.
        permits: what that permits, if there is more to say than the kind does.
        severity: how bad it is here, if that differs from the kind.
    """

    code: str
    source: str
    kid: str | None
    thumbprint: str | None
    words: str
    permits: str = ""
    severity: Severity = "high"

    def __post_init__(self) -> None:
        kind = KINDS[self.code]  # an unknown code is a bug
        if not self.permits:
            object.__setattr__(self, "permits", kind.permits)

    def to_json(self) -> dict[str, Any]:
        """For ``--format json``."""
        return {
            "code": self.code,
            "severity": self.severity,
            "kid": self.kid,
            "thumbprint": self.thumbprint,
            "words": self.words,
            "permits": self.permits,
        }


def finding(
    code: str,
    source: str,
    words: str,
    *,
    kid: str | None = None,
    thumbprint: str | None = None,
    permits: str = "",
    severity: Severity | None = None,
) -> AuditFinding:
    """A finding as bad as its kind, unless ``severity`` says otherwise."""
    return AuditFinding(code, source, kid, thumbprint, words, permits, severity or KINDS[code].severity)


def at_least(findings: list[AuditFinding], least: Severity) -> list[AuditFinding]:
    """Those that are as bad as ``least`` or worse."""
    most = SEVERITIES.index(least)
    return [one for one in findings if SEVERITIES.index(one.severity) <= most]
