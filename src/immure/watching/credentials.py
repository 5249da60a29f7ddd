"""The rules for credentials of cloud services that come with Immure, as YARA, and what is calculated after a
match.

>>> has_checksum(b"x_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17")
True
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

#: The namespace of these rules.
NAMESPACE: Final = "immure"
_FILE: Final = "credentials.toml"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM: Final = 6


def has_checksum(token: bytes) -> bool:
    """Whether the last six characters of a token are the CRC-32 of those between its prefix and them, in base
    62, as tokens of GitHub and npm have it."""
    body = token.rpartition(b"_")[2]
    rest, text = zlib.crc32(body[:-_CHECKSUM]), ""
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, 62)
        text = _DIGITS[digit] + text
    return len(body) > _CHECKSUM and body[-_CHECKSUM:] == text.encode("ascii")


#: What a rule may name as its ``check``: is given the bytes that matched.
CHECKS: Final[Mapping[str, Callable[[bytes], bool]]] = {"crc32-base62": has_checksum}


@cache
def documents() -> list[dict[str, Any]]:
    """The rules as documents, with their examples and counter-examples."""
    text = files("immure.watching").joinpath(_FILE).read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["rule"]
    return found


def as_yara() -> str:
    """The rules as YARA."""
    return "\n".join(map(_rule, documents()))


def _rule(document: Mapping[str, Any]) -> str:
    meta = f'description = "{document["description"]}"'
    meta += f' check = "{document["check"]}"' if "check" in document else ""
    strings = f"$secret = /{document['pattern']}/"
    strings += f" $context = /{document['context']}/" if "context" in document else ""
    return f"rule {document['name']} {{ meta: {meta} strings: {strings} condition: all of them }}"
