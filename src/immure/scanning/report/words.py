"""How reports say things: numbers with units, secrets by their names, and foreign text made harmless.

>>> visible("heap\x1b[31m")
'heap\\x1b[31m'
>>> bytes_words(12_900_000), count_words(2, "key")
('12.3 MiB', '2 keys')
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from immure.keymaterial.key import PublicKey
from immure.scanning.finding import FindingKind

#: Characters of harmless categories that nevertheless show as nothing, so that two names could look the same.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}

_SECRETS = {
    "p": "prime p",
    "q": "prime q",
    "d": "private exponent d",
    "d_lambda": "private exponent d mod λ",
    "dp": "CRT exponent dp",
    "dq": "CRT exponent dq",
    "qinv": "CRT coefficient qInv",
    "r_p": "R mod p",
    "r_q": "R mod q",
    "rr_p": "R² mod p",
    "rr_q": "R² mod q",
    "seed": "private seed",
    "scalar": "private scalar",
    "expanded": "expanded private key",
    "key": "whole private key",
    "secret": "secret",
}

_KINDS: dict[FindingKind, str] = {
    "named": "you named this key",
    "harvested": "its public half stands in the image",
    "unnamed": "only the private key itself was found; nobody named it",
    "sketched": "you gave a sketch of this secret",
    "token": "you gave a token that it made",
    "partial": "only a part of it is left",
    "schedule": "its key schedule stands in the image",
}


#: Longer foreign texts are cut in reports for people; the JSON report has them whole.
_LONGEST = 600


def visible(text: str) -> str:
    """``text`` with every character spelled out that could move the cursor, hide, or turn the writing around.

    Names of mappings, key ids and paths come from whoever made the image or the key set.
    """
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_plain(character) else _escaped(character) for character in text)


def _is_plain(character: str) -> bool:
    if character == " ":
        return True
    # C*: controls, formats (bidi), surrogates, private use, unassigned; Z*: spaces that are no plain space
    return unicodedata.category(character)[0] not in "CZ" and character not in _BLANKS


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, width: int) -> str:
    """``text`` made visible and cut in the middle to at most ``width`` characters: both ends tell."""
    shown = visible(text)
    if len(shown) <= width:
        return shown
    head = (width - 1) // 3
    return f"{shown[:head]}…{shown[len(shown) - (width - 1 - head) :]}"


def tail(text: str, width: int) -> str:
    """``text`` made visible and cut at its beginning: of a mapping's path the end tells most."""
    shown = visible(text)
    return shown if len(shown) <= width else f"…{shown[len(shown) - width + 1 :]}"


def bytes_words(count: int) -> str:
    """A number of bytes for people: ``0 bytes``, ``512 bytes``, ``12.3 MiB``."""
    if count < 1024:
        return count_words(count, "byte")
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        # what would be rounded to 1024.0 belongs to the next unit
        if value < 1023.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:,.1f} EiB"


def count_words(count: int, noun: str, plural: str | None = None) -> str:
    """``1 key``, ``1,234 keys``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def list_words(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def secret_words(kty: str, secret: str) -> str:
    """The name of a secret number in words; a name that we do not know is given as it is."""
    if secret == "d" and kty != "RSA":
        return "private scalar d"
    return _SECRETS.get(secret, visible(secret))


def kind_words(kind: FindingKind) -> str:
    """Why we looked for a key, in words."""
    return _KINDS.get(kind, visible(kind))


def key_words(key: PublicKey) -> str:
    """A key in a few words: ``RSA-2048 key "prod-1"``, or its thumbprint's beginning if it has no id. Of a
    secret without a public half the label says what it is: ``password "db"``."""
    kid = key.origin.kid
    name = f'"{shortened(kid, 40)}"' if kid else f"{key.thumbprint[:12]}…"
    return f"{key.label} {name}" if key.kty == "oct" else f"{key.label} key {name}"


def utc(moment: datetime | None) -> str | None:
    """A moment in RFC 3339 form, in UTC; certificates' moments without a zone are UTC already."""
    if moment is None:
        return None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def validity_words(key: PublicKey) -> str | None:
    """``valid 2021-04-05 to 2026-04-04``, or None if the source of the key says nothing of it."""
    begin, end = utc(key.origin.not_before), utc(key.origin.not_after)
    if begin and end:
        return f"valid {begin[:10]} to {end[:10]}"
    if begin:
        return f"valid from {begin[:10]}"
    return f"valid until {end[:10]}" if end else None


def hex_words(value: int | None) -> str:
    """An offset or address in hexadecimal, or a dash if there is none."""
    return "–" if value is None else f"{value:#x}"
