"""What can go wrong with a drill."""

from __future__ import annotations

from immure.errors import ImmureError


class DrillError(ImmureError):
    """The drill itself failed: nothing can be said about the service."""

    code = "drill"


class GoneError(DrillError):
    """A process was not there any more when it was to be crashed; another one is taken."""

    code = "drill-gone"


class EndedError(DrillError):
    """The service has ended: what it needs to begin was crashed while it began."""

    code = "drill-ended"
