"""JSON from strangers: one meaning only, and no more memory than its size allows.

>>> parse_json(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
...
immure.errors.AttestationError: a JSON object names a member twice: 'a'

Refused besides: bytes that are not UTF-8, NaN and infinities, numbers with a fraction or an exponent,
integers of more than twenty digits, and nesting so deep that Python's own parser gives up.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from immure.attest.reasons import Reason, refusal

#: Members and elements of the largest statement: half a million redactions make some millions of them.
MAX_ELEMENTS: Final = 8_000_000
_MAX_DIGITS: Final = 20  # as many as 2^64 has


def parse_json(data: bytes, *, most_elements: int = MAX_ELEMENTS, fractions: bool = False) -> Any:
    """The value that ``data`` holds. ``most_elements`` bounds how many members and elements there are.

    With ``fractions``, numbers may have one; what is signed has none.

    Raises:
        AttestationError: for the reasons above.
    """
    # each element costs some hundred bytes, of which an attacker would have to send only three
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > most_elements:
        raise refusal(Reason.TOO_LARGE, f"more than {most_elements} elements")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=float if fractions else _refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError):
        raise refusal(Reason.NOT_JSON) from None


def to_json(value: Any) -> bytes:
    """``value`` as JSON: ASCII, sorted, without blanks; the same bytes for the same value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise refusal(Reason.DUPLICATE, repr(twice[:80]))
    return made


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        _refuse_number(text)
    return int(text)


def _refuse_number(text: str) -> NoReturn:
    raise refusal(Reason.NOT_JSON, f"{text[:40]} is not an integer of at most {_MAX_DIGITS} digits")
