"""What can be wrong with a probe before anything is sent.

>>> KitError("names no target", path="kit.toml").code
'probe-kit'
"""

from __future__ import annotations

from immure.errors import ImmureError, UsageError


class KitError(UsageError):
    """A kit of test keys cannot be read or understood, or cannot be made where it should be."""

    code = "probe-kit"


class TargetError(UsageError):
    """The address is none that may be probed: malformed, not confirmed, or not safe as it is asked for."""

    code = "probe-target"


class MissingError(ImmureError):
    """A token cannot be made, as the kit has no key or scope for it; the case is then not asked."""

    code = "probe-missing"


class CarryError(ImmureError):
    """A channel cannot carry such a token, as a line break in an HTTP header; the case is then not asked."""

    code = "probe-carry"
