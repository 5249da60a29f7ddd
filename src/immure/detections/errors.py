"""What can go wrong while one looks for forged tokens."""

from __future__ import annotations

from immure.errors import ImmureError, UsageError


class DetectionError(ImmureError):
    """A run could not be carried out: a store, an engine or a receiver that does not work (exit code 3)."""

    code = "detect"


class RuleError(UsageError):
    """A rule cannot be read or understood: then nothing is looked for (exit code 2)."""

    code = "detect-rule"


class SigmaError(RuleError):
    """A rule cannot be brought into Sigma, or out of it, without changing what it says."""

    code = "detect-sigma"
