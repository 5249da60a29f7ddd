"""One record of JSON, as foreign programs write it.

>>> decode(b'<14>Aug 13 14:22:33 host app: {"a": 1}')
{'a': 1}
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import msgspec

from immure.errors import InputError

_DECODE: Final = msgspec.json.Decoder().decode
_FAULTS: Final = (msgspec.DecodeError, ValueError, OverflowError)
#: Members in which other programs wrap a record: Elasticsearch, Splunk.
#: How a text begins that is JSON, or JSON in JSON.
_JSON: Final = ("{", "[", '"{', '"[', '"\\')
_WRAPPED: Final = ("_source", "_raw", "result")


class UndecodableError(InputError):
    """A record is no JSON; ``code`` is the reason by which it is counted."""

    code = "syntax"


class NestingError(UndecodableError):
    """A record is nested too deep."""

    code = "nesting"


def decode(raw: bytes | str) -> Any:
    """The value of a record.

    Raises:
        UndecodableError: it is none.
        NestingError: it is nested deeper than is taken (about a thousand levels).
    """
    try:
        return _DECODE(raw)
    except RecursionError:
        raise NestingError("is nested too deep") from None
    except _FAULTS:
        return _again(raw)


def _again(raw: bytes | str) -> Any:
    """As other programs would read it: half characters, NaN, a head of syslog before it."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    text = text.strip("\ufeff\x1e \t\r\n")
    if text[:1] not in ("{", "["):
        text = text[text.find("{") :] if "{" in text[:2048] else text
    try:
        value = json.loads(text)
    except RecursionError:
        raise NestingError("is nested too deep") from None
    except ValueError:
        raise UndecodableError("is no JSON") from None
    return value


def unwrapped(value: Any, most: int) -> Any:
    """What other programs have wrapped, or written as a text, up to ``most`` times."""
    for _ in range(most):
        if isinstance(value, str) and value.startswith(_JSON):
            value = decode(value)
        elif isinstance(value, dict) and (inner := _inner(value)) is not None:
            value = inner
        else:
            break
    return value


def _inner(value: dict[str, Any]) -> Any:
    for name in _WRAPPED:
        inner = value.get(name)
        if isinstance(inner, dict) or (isinstance(inner, str) and inner[:1] == "{"):
            return inner
    return None


def made_name(raw: bytes | str) -> str:
    """The name of a record that has none of its own."""
    data = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    return f"sha256:{hashlib.sha256(data.strip()).hexdigest()[:32]}"
