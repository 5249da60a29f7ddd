"""What can go wrong with a fleet."""

from __future__ import annotations

from typing import ClassVar

from immure.errors import ImmureError, InputError, UsageError


class FleetError(ImmureError):
    """The fleet as a whole cannot go on: no scheduler, no worker, another version there."""

    code: ClassVar[str] = "fleet"


class EngineError(UsageError):
    """The engine that was asked for is none, or its link would not be protected."""

    code: ClassVar[str] = "engine"


class StoreError(ImmureError):
    """An object cannot be listed or read. Mostly that passes: it is tried again."""

    code: ClassVar[str] = "store"


class WireError(InputError):
    """Bytes that came over an engine's link are no value of ours."""

    code: ClassVar[str] = "wire"
