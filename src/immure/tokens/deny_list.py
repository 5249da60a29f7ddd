"""A signed list of keys and times that a relying party refuses, whatever its key sets still say.

>>> made = DenyList("https://login.example/deny-list", 1, 1790000000, 1790086400)
>>> made.names("https://a.example", "k1", "")
False

A list can only refuse: whoever steals the key that signs it can shut people out, and let nobody in. It is a
JWS (RFC 7515) of type ``immure-deny-list+jwt``; its form, and what it protects from and what not, is in
``docs/reference/deny-list.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from immure.errors import InputError
from immure.registry.scope import TENANT, KeyScope
from immure.tokens import jws
from immure.tokens.deny_list_errors import DenyListFormError, DenyListSignatureError
from immure.tokens.errors import TokenError
from immure.tokens.keyset import KeySet
from immure.tokens.strict import decode_object

#: ``typ`` of a list; its media type has ``application/`` before it.
TYPE: Final = "immure-deny-list+jwt"
MEDIA_TYPE: Final = f"application/{TYPE}"
VERSION: Final = 1
#: Bytes, keys and issuers of the largest list.
MOST_BYTES: Final = 1 << 20
MOST_KEYS: Final = 2048
MOST_EPOCHS: Final = 1024
#: Seconds for which a list may count; one that never ends would hide that no new one comes.
LONGEST: Final = 31 * 86_400
REASONS: Final = ("compromised", "suspected", "withdrawn")
_MOST_TEXT: Final = 512
_LARGEST: Final = (1 << 53) - 1
_MEMBERS: Final = {"v", "iss", "seq", "iat", "exp", "keys", "not_before"}
_KEY: Final = {"issuer", "kid", "jkt", "since", "reason"}


@dataclass(frozen=True, slots=True)
class DeniedKey:
    """A key of which nothing is accepted.

    Attributes:
        issuer: whose key it is; ``{tenantid}`` in it stands for the id of a tenant.
        kid: its name in the issuer's key set.
        thumbprint: RFC 7638; "" if it is not known. A key with this thumbprint is refused under every name
            and for every issuer.
        since: when it was denied, seconds since 1970.
        reason: one of :data:`REASONS`.
    """

    issuer: str
    kid: str
    thumbprint: str
    since: int
    reason: str = "compromised"

    def plain(self) -> dict[str, Any]:
        """As the list has it."""
        made: dict[str, Any] = {"issuer": self.issuer, "kid": self.kid, "since": self.since}
        if self.thumbprint:
            made["jkt"] = self.thumbprint
        return {**made, "reason": self.reason}


@dataclass(frozen=True)
class DenyList:
    """A list.

    Attributes:
        name: of the list, which those who take it pin with its key.
        sequence: its number; a list with a higher one takes the place of this.
        issued, expires: seconds since 1970.
        keys: that are refused.
        epochs: by issuer, the time before which no token counts.
    """

    name: str
    sequence: int
    issued: int
    expires: int
    keys: tuple[DeniedKey, ...] = ()
    epochs: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", MappingProxyType(dict(self.epochs)))

    def names(self, issuer: str, kid: str | None, thumbprint: str) -> bool:
        """Whether a key is refused: by its thumbprint, or as this issuer's key of that name."""
        if thumbprint in self._thumbprints:
            return True
        if kid is None or kid not in self._kids:
            return False
        return any(_is(one, issuer) for one in self._kids[kid])

    def epoch(self, issuer: str) -> int | None:
        """The time from which on tokens of an issuer count; None if there is none."""
        found = self.epochs.get(issuer)
        for template, since in self._templates:
            if template.tenant_of(issuer) is not None:
                found = since if found is None else max(found, since)
        return found

    @property
    def issuers(self) -> frozenset[str]:
        """All that it says something of."""
        return frozenset(self.epochs) | {one.issuer for one in self.keys}

    @cached_property
    def _thumbprints(self) -> frozenset[str]:
        return frozenset(one.thumbprint for one in self.keys if one.thumbprint)

    @cached_property
    def _kids(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in self.keys:
            found.setdefault(one.kid, []).append(one.issuer)
        return found

    @cached_property
    def _templates(self) -> list[tuple[KeyScope, int]]:
        return [(KeyScope(issuer), since) for issuer, since in self.epochs.items() if TENANT in issuer]

    def plain(self) -> dict[str, Any]:
        """The payload."""
        return {
            "v": VERSION,
            "iss": self.name,
            "seq": self.sequence,
            "iat": self.issued,
            "exp": self.expires,
            "keys": [one.plain() for one in self.keys],
            "not_before": dict(sorted(self.epochs.items())),
        }


def _is(stated: str, issuer: str) -> bool:
    return stated == issuer or (TENANT in stated and KeyScope(stated).tenant_of(issuer) is not None)


def verify_deny_list(text: bytes, keys: KeySet, name: str) -> DenyList:
    """The list that ``text`` is, signed by one of the pinned keys. Whether it has run out is not asked.

    Args:
        text: in compact form, at most :data:`MOST_BYTES`.
        keys: that were pinned, and nobody else's.
        name: that was pinned.

    Raises:
        DenyListSignatureError: another key signed it, or none.
        DenyListFormError: it is no list of this version, or another list.
    """
    if len(text) > MOST_BYTES:
        raise DenyListFormError(f"a list of {len(text)} bytes; {MOST_BYTES} are taken")
    try:
        header, payload = jws.verify(text.strip(), keys, most_bytes=MOST_BYTES)
    except TokenError as error:
        raise DenyListSignatureError(
            f"is not signed by the pinned key ({error.code}: {error.reason})"
        ) from None
    if header.typ != TYPE:
        raise DenyListFormError(f"has another type than {TYPE}")
    made = parse_deny_list(payload)
    if made.name != name:
        raise DenyListFormError(f"is the list {made.name[:100]!a}, not {name[:100]!a}")
    return made


def parse_deny_list(payload: bytes) -> DenyList:
    """The list that a payload holds, whose signature the caller has checked; raises DenyListFormError.

    A member that is not known might refuse more than what is understood, so it is an error.
    """
    try:
        members = decode_object(payload)
    except TokenError as error:
        raise DenyListFormError(error.reason) from None
    if set(members) != _MEMBERS:
        odd = min(set(members) ^ _MEMBERS)
        raise DenyListFormError(f"{odd[:40]!a} is missing or not known")
    if type(members["v"]) is not int or members["v"] != VERSION:
        raise DenyListFormError("is of a version that is not known")
    issued, expires = _number(members, "iat"), _number(members, "exp")
    if not 0 < expires - issued <= LONGEST:
        raise DenyListFormError(f"counts for {expires - issued} s; from 1 to {LONGEST} are taken")
    return DenyList(
        text_of(members, "iss"),
        _number(members, "seq"),
        issued,
        expires,
        tuple(_keys(members["keys"])),
        _epochs(members["not_before"]),
    )


def _keys(value: Any) -> Iterable[DeniedKey]:
    if not isinstance(value, list) or len(value) > MOST_KEYS:
        raise DenyListFormError(f"keys is not a list of {MOST_KEYS} at most")
    for one in value:
        if not isinstance(one, dict) or not {"issuer", "kid", "since", "reason"} <= set(one) <= _KEY:
            raise DenyListFormError(f"a key is not an object of {', '.join(sorted(_KEY))}")
        thumbprint = text_of(one, "jkt") if "jkt" in one else ""
        if thumbprint and len(thumbprint) != 43:
            raise DenyListFormError("jkt is no SHA-256 thumbprint in base64url")
        if one["reason"] not in REASONS:
            raise DenyListFormError(f"reason is one of {', '.join(REASONS)}")
        issuer = _issuer(text_of(one, "issuer"))
        yield DeniedKey(issuer, text_of(one, "kid"), thumbprint, _number(one, "since"), one["reason"])


def _epochs(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > MOST_EPOCHS:
        raise DenyListFormError(f"not_before is not an object of {MOST_EPOCHS} at most")
    return {_issuer(_text(issuer, "an issuer")): _number(value, issuer) for issuer in value}


def _issuer(text: str) -> str:
    """One placeholder at most: more would fit what nobody meant."""
    if text.count(TENANT) > 1:
        raise DenyListFormError(f"an issuer has {TENANT} in it more than once")
    return text


def text_of(members: Mapping[str, Any], name: str) -> str:
    """A text of a list; raises DenyListFormError."""
    return _text(members.get(name), name)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT or not value.isprintable():
        raise DenyListFormError(f"{name} is not a line of up to {_MOST_TEXT} characters")
    return value


def _number(members: Mapping[str, Any], name: str) -> int:
    value = members.get(name)
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise DenyListFormError(f"{name[:40]!a} is not a whole number that is not negative")
    return value


def pinned_keys(document: bytes, path: str) -> KeySet:
    """The keys that a file pins: a JWK, or a JWK Set of two while one takes the other's place.

    Raises:
        DenyListError: it is neither, or holds none.
    """
    try:
        found = KeySet.from_jwks(decode_object(document), path)
    except InputError as error:
        raise DenyListFormError(str(error), path=path) from None
    if not found.keys:
        raise DenyListFormError("pins no key that can be used", path=path)
    return found
