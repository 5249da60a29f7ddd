"""The keys of one source: a JWK Set (RFC 7517), and what each of its keys may sign for.

>>> jwk = {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
>>> KeySet.from_jwks({"keys": [jwk]}, "jwks.json").find("a").key.label
'Ed25519'

A key that cannot be used does not make the others useless: it is remembered with the reason, and whoever
asks for it is told. Only a set in which an id means two keys, or that is no set at all, is refused as a
whole. Sets are never put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from immure.errors import KeyFormatError, KeySourceError
from immure.registry.scope import ScopedKey
from immure.tokens.errors import DuplicateKeyError, KeyUseError, TokenError, UnknownKeyError, UnscopedKeyError
from immure.tokens.jwk_scope import scoped_key

#: Keys of the largest set.
MOST_KEYS: Final = 20_000

Refusal = tuple[type[TokenError], str]


class KeySet:
    """Keys of one source by their ids.

    Args:
        keys: what can be used.
        source: path or URL, for messages.
        refused: ids of keys that cannot be used, and why.

    Raises:
        DuplicateKeyError: an id means two keys.
    """

    def __init__(
        self, keys: Iterable[ScopedKey], source: str, refused: Sequence[tuple[str | None, Refusal]] = ()
    ) -> None:
        self.source = source
        self.keys = tuple(keys)
        self._by_kid: dict[str, ScopedKey] = {}
        self._refused: dict[str, Refusal] = {}
        self._reasons = [why for _, why in refused]
        self._alone = False
        scoped = any(one.scope is not None for one in self.keys)
        for one in self.keys:
            self._add(one, unscoped=scoped and one.scope is None)
        for kid, why in refused:
            if kid is not None:
                self._refuse(kid, why)

    def _add(self, one: ScopedKey, *, unscoped: bool) -> None:
        if one.kid is None:
            return
        if unscoped:
            self._refuse(one.kid, (UnscopedKeyError, "says not what it may sign for, as other keys here do"))
            return
        self._not_twice(one.kid)
        self._by_kid[one.kid] = one

    def _refuse(self, kid: str, why: Refusal) -> None:
        self._not_twice(kid)
        self._refused[kid] = why

    def _not_twice(self, kid: str) -> None:
        if kid in self._by_kid or kid in self._refused:
            raise DuplicateKeyError(f"two keys have the id {kid[:80]!r}", path=self.source)

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, kid: object) -> bool:
        return self._alone or kid in self._by_kid or kid in self._refused

    def find(self, kid: str | None) -> ScopedKey:
        """See :meth:`immure.tokens.source.KeySource.find`."""
        if kid is None or self._alone:
            return self._only()
        found = self._by_kid.get(kid)
        if found is not None:
            return found
        if kid in self._refused:
            error, words = self._refused[kid]
            raise error(f"the key {kid[:80]!r} {words}", path=self.source)
        raise UnknownKeyError(f"has no key {kid[:80]!r}", path=self.source)

    def _only(self) -> ScopedKey:
        count = len(self.keys) + len(self._reasons)
        if count != 1:
            raise UnknownKeyError(f"the token names none of the {count} keys", path=self.source)
        if self._reasons:
            error, words = self._reasons[0]
            raise error(f"the only key {words}", path=self.source)
        return self.keys[0]

    @classmethod
    def from_jwks(cls, document: Any, source: str, *, issuer: str | None = None) -> KeySet:
        """The keys of a decoded JWK Set, or a single JWK; if that has no id, every token means it.

        Args:
            document: what the JSON holds.
            source: path or URL, for messages.
            issuer: what keys may sign for that do not say it themselves, if that is known of the source.
                Where some keys say it and others do not, the others stay unscoped, and are refused.

        Raises:
            KeySourceError: this is no JWK Set, or one with more than :data:`MOST_KEYS` keys.
            DuplicateKeyError: an id means two keys.
        """
        members = _members(document, source)
        stated = any(isinstance(one, Mapping) and "issuer" in one for one in members)
        keys: list[ScopedKey] = []
        refused: list[tuple[str | None, Refusal]] = []
        for member in members:
            kid = member.get("kid")
            if not isinstance(kid, str):  # if it is no text either, the key is refused for it
                kid = None
            try:
                keys.append(scoped_key(member, source, None if stated else issuer))
            except KeyFormatError as error:
                refused.append((kid, (KeyUseError, f"cannot be used: {error.reason}")))
            except TokenError as error:
                refused.append((kid, (type(error), error.reason)))
        made = cls(keys, source, refused)
        made._alone = "keys" not in document and "kid" not in document
        return made


def _members(document: Any, source: str) -> list[Mapping[str, Any]]:
    members = None
    if isinstance(document, dict):
        members = document.get("keys", [document] if "kty" in document else None)
    if not isinstance(members, list):
        raise KeySourceError("is not a JWK Set", path=source)
    if len(members) > MOST_KEYS:
        raise KeySourceError(f"has more than {MOST_KEYS} keys", path=source)
    if not all(isinstance(member, dict) for member in members):
        raise KeySourceError("a key of the set is not an object", path=source)
    return members
