"""What the browser says about a ceremony (WebAuthn Level 3, section 5.8.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from immure.access.texts import decode
from immure.errors import InputError

MOST_BYTES: Final = 1 << 13
#: A challenge of ours is a SHA-256.
MOST_CHALLENGE: Final = 128


@dataclass(frozen=True, slots=True)
class ClientData:
    """Client data; ``top_origin`` is None if there is none."""

    type: str
    challenge: bytes
    origin: str
    cross_origin: bool
    top_origin: str | None


def parse_client_data(data: bytes) -> ClientData:
    """Client data from the bytes that were signed.

    Raises:
        InputError: they are none.
    """
    members = parse_object(data, MOST_BYTES, "client data")
    kind, challenge, origin = (members.get(name) for name in ("type", "challenge", "origin"))
    if not (isinstance(kind, str) and isinstance(challenge, str) and isinstance(origin, str)):
        raise InputError("client data without type, challenge and origin")
    cross, top = members.get("crossOrigin", False), members.get("topOrigin")
    if not isinstance(cross, bool) or not (top is None or isinstance(top, str)):
        raise InputError("client data whose crossOrigin or topOrigin is of another type")
    if len(challenge) > MOST_CHALLENGE:
        raise InputError("client data with a challenge that is too long")
    return ClientData(kind, decode(challenge), origin, cross, top)


def parse_object(data: bytes, most: int, what: str) -> dict[str, Any]:
    """A JSON object, no name in it twice; raises InputError."""
    if len(data) > most:
        raise InputError(f"{what} of more than {most} bytes")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        raise InputError(f"{what} nested too deep") from None
    except ValueError as error:
        raise InputError(f"{what} that is no JSON: {str(error)[:80]}") from None
    if not isinstance(value, dict):
        raise InputError(f"{what} that is no object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
