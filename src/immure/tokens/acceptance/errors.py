"""What can go wrong with a log of acceptances."""

from __future__ import annotations

from immure.errors import ImmureError, InputError


class AcceptanceLogError(ImmureError):
    """A row cannot be written, or not so that it lasts: then the token must not be accepted."""

    code = "acceptance-log"


class AcceptanceRowError(InputError):
    """A segment of the log holds what no writer of ours writes, or was changed after it was sealed."""

    code = "acceptance-row"


class TornRowError(AcceptanceRowError):
    """The last line of a segment is not whole: its writer was stopped in the middle of it."""

    code = "acceptance-torn"
