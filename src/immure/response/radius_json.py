"""A blast radius out of a file, which may hold anything."""

from __future__ import annotations

import json
from typing import Final

from immure.response.errors import RadiusError
from immure.response.radius import BlastRadius

#: The longest file.
MOST_BYTES: Final = 256 << 20


def parse_radius(data: bytes, *, path: str | None = None) -> BlastRadius:
    """The radius in a file.

    Raises:
        RadiusError: there is none in it.
    """
    if len(data) > MOST_BYTES:
        raise RadiusError(f"more than {MOST_BYTES:,} bytes", path=path)
    try:
        return BlastRadius.from_json(json.loads(data))
    except RadiusError as error:
        raise RadiusError(error.reason, path=path) from error
    except (ValueError, RecursionError) as error:
        raise RadiusError("no JSON", path=path) from error
