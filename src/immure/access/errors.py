"""What the room of access raises."""

from __future__ import annotations

from immure.errors import ImmureError, InputError, RefusedError


class AccessError(ImmureError):
    """The door's database or log cannot be read, written or believed: then nobody gets in (exit code 3)."""

    code = "access"


class StaleError(AccessError):
    """The database is not the one that belongs to the log: restored from a backup, or altered."""

    code = "access-stale"


class ClockError(AccessError):
    """The clock stands before what the door has seen already: what has expired could come back to life."""

    code = "access-clock"


class MetadataError(InputError):
    """A blob of the FIDO Metadata Service is malformed, old, or not signed by whom it should be."""

    code = "fido-metadata"


class DeniedError(RefusedError):
    """A person may not do what they asked for; ``rule`` is the stable name of the rule that says no."""

    code = "access-denied"


class CeremonyError(DeniedError):
    """A WebAuthn response that does not hold; ``rule`` names the step of the verification that it fails."""

    code = "webauthn"


class NoGrantError(DeniedError):
    """There is no live grant for this: who asks stays outside."""

    code = "no-grant"
