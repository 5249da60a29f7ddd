"""What can go wrong while the incident is acted out."""

from __future__ import annotations

from immure.errors import ImmureError


class ReplayError(ImmureError):
    """A part of the replay does not do what it is there for; nothing can be concluded (exit code 3)."""

    code = "replay"
