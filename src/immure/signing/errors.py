"""What goes wrong in the signing system itself; what clients do wrong is an answer of the protocol."""

from __future__ import annotations

from immure.errors import ImmureError


class SigningError(ImmureError):
    """The signing system cannot do its work as it is set up."""

    code = "signing"


class NoKeyError(SigningError):
    """An issuer has no key that may sign now."""

    code = "signing-no-key"


class ClockError(SigningError):
    """The clock was set, or cannot be right: keys are not rotated by it."""

    code = "signing-clock"


class StateError(SigningError):
    """What the service must remember cannot be read or written."""

    code = "signing-state"
