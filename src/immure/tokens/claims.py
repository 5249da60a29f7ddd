"""The claims of a token that was accepted, and with whose key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from immure.registry.scope import ScopedKey
from immure.tokens.errors import ClaimTypeError
from immure.tokens.parse import Header

#: The end of the year 9999: what stands behind it is no time.
_LATEST = 253_402_300_799
_TEXTS = ("iss", "sub", "jti", "tid", "client_id", "azp", "scope", "nonce")
_TIMES = ("exp", "nbf", "iat", "auth_time")


class Claims(Mapping[str, Any]):
    """What a token says, by the names of its claims; reads like a dictionary.

    Attributes:
        key: whose signature it is.
        header: of the token.
        audience_class: of its issuer, by the policy.
        tenant: ``tid``, if there is one.
    """

    __slots__ = ("_values", "audience_class", "header", "key", "tenant")

    def __init__(
        self, values: dict[str, Any], key: ScopedKey, header: Header, audience_class: str, tenant: str | None
    ) -> None:
        self._values = values
        self.key = key
        self.header = header
        self.audience_class = audience_class
        self.tenant = tenant

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def issuer(self) -> str:
        """``iss``."""
        return str(self._values["iss"])

    @property
    def subject(self) -> str | None:
        """``sub``, if there is one."""
        value: str | None = self._values.get("sub")
        return value

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud``, one or more."""
        return audiences(self._values)

    @property
    def expires(self) -> datetime | None:
        """``exp``, if there is one."""
        value = self._values.get("exp")
        return None if value is None else datetime.fromtimestamp(value, UTC)


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """``aud`` as a tuple; its type has been checked."""
    value = claims.get("aud", ())
    return (value,) if isinstance(value, str) else tuple(value)


def check_types(claims: dict[str, Any]) -> None:
    """Registered claims have the types that RFC 7519, section 4.1, RFC 9068 and OpenID Connect give them.

    Times are numbers, which may have a fraction (RFC 7519, section 2), between the years 1970 and 9999.

    Raises:
        ClaimTypeError: one has not; ``null`` is no text and no number either.
    """
    get = claims.get
    for name in _TEXTS:
        if type(get(name, "")) is not str:
            if name == "scope" and _is_list_of_texts(claims[name]):
                continue  # several issuers write it so, though RFC 9068 has a text
            raise ClaimTypeError(f"{name} is not a text")
    for name in _TIMES:
        value = get(name, 0)
        kind = type(value)
        if (kind is not int and kind is not float) or not 0 <= value <= _LATEST:
            raise ClaimTypeError(f"{name} is not a time in seconds since 1970")
    if "aud" in claims:
        value = claims["aud"]
        if type(value) is not str and not (_is_list_of_texts(value) and value):
            raise ClaimTypeError("aud is neither a text nor a list of texts")


def _is_list_of_texts(value: Any) -> bool:
    return type(value) is list and all(type(one) is str for one in value)
