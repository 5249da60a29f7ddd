"""A row of the log: one line of JSON (RFC 8259) in ASCII.

>>> line = to_line(Decision(time=1795608000.25, digest=bytes(16), subject="ada", relying_party="mail"))
>>> line
b'{"time":1795608000.25,"verdict":"accepted","digest":"00000000000000000000000000000000","subject":"ada","relying_party":"mail"}\\n'
>>> parse_line(line).subject
'ada'

Members without a value are left out; ``docs/reference/acceptance-log.md`` says what each means.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from immure.digest import SIZE
from immure.tokens.acceptance.decision import ACCEPTED, REFUSED, Decision
from immure.tokens.acceptance.errors import AcceptanceRowError
from immure.tokens.errors import TokenError
from immure.tokens.strict import decode_object

#: Bytes of the longest line, its end included; more than any token of 16 KiB can make of it.
MOST_BYTES: Final = 128 << 10
_TEXTS: Final = ("issuer", "kid", "thumbprint", "subject", "tenant", "client", "relying_party", "channel")
_TIMES: Final = ("issued_at", "expires")
_KNOWN: Final = {"time", "verdict", "rule", "digest", "audience", *_TEXTS, *_TIMES}
#: A text as JSON has it, all that is not ASCII being written by its number.
_quoted: Final[Callable[[str], str]] = json.encoder.encode_basestring_ascii


def to_line(row: Decision) -> bytes:
    """The line of a decision."""
    parts = [f'{{"time":{row.time!r},"verdict":"{row.verdict}"']
    add = parts.append
    if row.rule:
        add(f'"rule":{_quoted(row.rule)}')
    if row.digest is not None:
        add(f'"digest":"{row.digest.hex()}"')
    if row.issuer is not None:
        add(f'"issuer":{_quoted(row.issuer)}')
    if row.kid is not None:
        add(f'"kid":{_quoted(row.kid)}')
    if row.thumbprint is not None:
        add(f'"thumbprint":{_quoted(row.thumbprint)}')
    if row.subject is not None:
        add(f'"subject":{_quoted(row.subject)}')
    if row.tenant is not None:
        add(f'"tenant":{_quoted(row.tenant)}')
    if row.audience:
        add(f'"audience":[{",".join(map(_quoted, row.audience))}]')
    if row.client is not None:
        add(f'"client":{_quoted(row.client)}')
    if row.issued_at is not None:
        add(f'"issued_at":{row.issued_at!r}')
    if row.expires is not None:
        add(f'"expires":{row.expires!r}')
    if row.relying_party:
        add(f'"relying_party":{_quoted(row.relying_party)}')
    if row.channel:
        add(f'"channel":{_quoted(row.channel)}')
    return (",".join(parts) + "}\n").encode("ascii")


def parse_line(line: bytes) -> Decision:
    """The decision of a line.

    Raises:
        AcceptanceRowError: it is not one that :func:`to_line` writes.
    """
    try:
        members = decode_object(line)
    except TokenError as error:
        raise AcceptanceRowError(f"a row {error.reason}") from None
    return from_members(members)


def from_members(members: dict[str, Any]) -> Decision:
    """The decision of a decoded line; raises as :func:`parse_line`."""
    verdict, rule = members.get("verdict"), members.get("rule", "")
    if not members.keys() <= _KNOWN:
        raise AcceptanceRowError(f"a row has an unknown member: {min(members.keys() - _KNOWN)[:40]!a}")
    if type(rule) is not str or verdict != (REFUSED if rule else ACCEPTED):
        raise AcceptanceRowError("a row's verdict and its rule do not agree")
    values: dict[str, Any] = {name: _text(members, name) for name in _TEXTS if name in members}
    values |= {name: _time(members, name) for name in _TIMES if name in members}
    time = _time(members, "time")
    return Decision(time=time, digest=_digest(members), audience=_audience(members), rule=rule, **values)


def _text(members: dict[str, Any], name: str) -> str:
    value = members[name]
    if type(value) is not str:
        raise AcceptanceRowError(f"{name} of a row is not a text")
    return value


def _time(members: dict[str, Any], name: str) -> float:
    value: Any = members.get(name)
    if type(value) not in (int, float) or value < 0:
        raise AcceptanceRowError(f"{name} of a row is not a time")
    return float(value) if type(value) is float else int(value)


def _digest(members: dict[str, Any]) -> bytes | None:
    if "digest" not in members:
        return None
    value: Any = members["digest"]
    try:
        digest = bytes.fromhex(value)
    except (TypeError, ValueError):
        digest = b""
    if len(digest) != SIZE or digest.hex() != value:
        raise AcceptanceRowError(f"digest of a row is not {SIZE} bytes in hexadecimal")
    return digest


def _audience(members: dict[str, Any]) -> tuple[str, ...]:
    value = members.get("audience", [])
    if type(value) is not list or not all(type(one) is str for one in value):
        raise AcceptanceRowError("audience of a row is not a list of texts")
    return tuple(value)
