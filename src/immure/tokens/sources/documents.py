"""Key sets and discovery documents from bytes, strictly.

>>> key_set(b'{"keys": []}', "jwks.json").keys
()
>>> discovered(b'{"issuer": "https://a.example", "jwks_uri": "https://a.example/set"}', "https://a.example")
Discovered(issuer='https://a.example', jwks_uri='https://a.example/set')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from immure.errors import KeySourceError
from immure.tokens.errors import JsonError
from immure.tokens.keyset import KeySet
from immure.tokens.strict import decode_object

_MOST_TEXT: Final = 2048


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a discovery document says of keys (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2).

    Attributes:
        issuer: who it says it is of, exactly.
        jwks_uri: where it says the keys are; not checked yet.
    """

    issuer: str
    jwks_uri: str


def key_set(data: bytes, name: str, issuer: str | None = None) -> KeySet:
    """The keys of a JWK Set (RFC 7517); ``issuer`` is for keys that say nothing, as in :class:`KeySet`.

    Raises:
        KeySourceError: it is no JSON, names a member twice, or is no JWK Set.
        DuplicateKeyError: an id means two keys.
    """
    return KeySet.from_jwks(_object(data, name), name, issuer=issuer)


def discovered(data: bytes, name: str) -> Discovered:
    """What a discovery document says.

    Raises:
        KeySourceError: it is none, or says nothing of its issuer or keys.
    """
    document = _object(data, name)
    return Discovered(_text(document, "issuer", name), _text(document, "jwks_uri", name))


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        return decode_object(data)
    except JsonError as error:
        raise KeySourceError(error.reason, path=name) from None


def _text(document: dict[str, Any], member: str, name: str) -> str:
    value = document.get(member)
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        raise KeySourceError(f"the discovery document has no {member}", path=name)
    return value
