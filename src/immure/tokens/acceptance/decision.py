"""What is written down of a token that was accepted or refused: never the token, and not its signature.

>>> Decision(time=1795608000.0, digest=bytes(16), rule="key-issuer").verdict
'refused'
>>> Decision(time=1795608000.0, digest=bytes(16), subject="ada").verdict
'accepted'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["accepted", "refused"]
ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One token, and what became of it.

    Where there is a thumbprint, a key of that issuer's source has signed what the row says, also if the token
    was refused in the end, as for a scope that it lacks. Where there is none, all but ``time``, ``digest``,
    ``rule``, ``relying_party`` and ``channel`` is what the token says of itself, which anybody may have
    written; long values are cut then.

    Attributes:
        time: when it was decided, in seconds since 1970 (UTC).
        digest: name of the token (:func:`immure.digest.signed_digest`, 16 bytes); None if it has not the form
            of one.
        issuer: ``iss``.
        kid: id of the key, as the token names it.
        thumbprint: RFC 7638 thumbprint of the key that signed, if the validator accepted the token.
        subject: ``sub``.
        tenant: ``tid``, or the tenant that the issuer's name holds.
        audience: ``aud``, one or more.
        client: ``client_id``, or else ``azp``: to whom the token was issued.
        issued_at, expires: ``iat`` and ``exp``, in seconds since 1970.
        rule: stable code of the refusal (:mod:`immure.tokens.errors`); empty for an accepted token.
        relying_party: who asked, or which of our services decided.
        channel: how it came: ``introspection``, ``forward-auth``, ``http``, ``imap`` …
    """

    time: float
    digest: bytes | None
    issuer: str | None = None
    kid: str | None = None
    thumbprint: str | None = None
    subject: str | None = None
    tenant: str | None = None
    audience: tuple[str, ...] = ()
    client: str | None = None
    issued_at: float | None = None
    expires: float | None = None
    rule: str = ""
    relying_party: str = ""
    channel: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the token was accepted; it was refused if a rule says so."""
        return REFUSED if self.rule else ACCEPTED
