"""A signed token in compact form (RFC 7515, section 7.1), taken apart. Nothing in it is believed yet.

>>> parse_token("a.b")
Traceback (most recent call last):
...
immure.tokens.errors.TokenFormError: a token has three parts, this has 2
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from immure.tokens.errors import (
    AlgorithmError,
    Base64Error,
    CriticalError,
    DetachedTokenError,
    EmbeddedKeyError,
    EncryptedTokenError,
    HeaderError,
    JsonError,
    TokenFormError,
    TokenSizeError,
)
from immure.tokens.strict import decode_object, decode_segment

#: Bytes of the longest token.
MOST_BYTES: Final = 16 << 10
_KEYS: Final = ("jwk", "jku", "x5u", "x5c")
_TEXTS: Final = ("alg", "kid", "typ", "cty", "x5t", "x5t#S256")


@dataclass(frozen=True)
class Header:
    """What a header says, with all that is refused whatever key it names being refused already.

    Attributes:
        segment: as it stands in the token.
        alg: the algorithm that the signer says it used; only compared, never obeyed.
        kid: the key's id in its source.
        typ: in lower case and without ``application/`` (RFC 7515, section 4.1.9).
    """

    segment: bytes
    alg: str
    kid: str | None
    typ: str | None

    @cached_property
    def members(self) -> dict[str, Any]:
        """All of it, as decoded anew."""
        return decode_object(decode_segment(self.segment))


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """A token's parts: its header, the claims in it, what was signed, and the signature."""

    header: Header
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


def split_token(
    token: str | bytes, most_bytes: int = MOST_BYTES, *, may_be_empty: bool = False
) -> tuple[bytes, bytes, bytes, bytes]:
    """What was signed, and its two parts; the signature. As they stand in the token, none of them empty.

    Args:
        token: in compact form.
        most_bytes: that it may have.
        may_be_empty: take an empty payload, too, which no token with claims has.

    Raises:
        TokenSizeError, TokenFormError: too long; not three parts of ASCII.
    """
    if not isinstance(token, (str, bytes)):
        raise TokenFormError("a token is a text")
    if len(token) > most_bytes:
        raise TokenSizeError(f"a token of {len(token)} bytes; {most_bytes} are taken")
    if isinstance(token, str):
        if not token.isascii():
            raise TokenFormError("a token is ASCII, this is not")
        token = token.encode()
    signed, _, signature = token.rpartition(b".")
    header, point, payload = signed.partition(b".")
    if not point or b"." in payload:
        raise _miscounted(token.count(b".") + 1)
    if not payload and not may_be_empty:
        raise DetachedTokenError("the payload is not in the token")
    if not header or not signature:
        raise TokenFormError("the token has no header or no signature")
    return signed, header, payload, signature


def _miscounted(parts: int) -> TokenFormError:
    if parts == 5:
        return EncryptedTokenError("the token is encrypted (five parts)")
    return TokenFormError(f"a token has three parts, this has {parts}")


def parse_header(segment: bytes, *, unencoded: bool = False) -> Header:
    """The header of a token.

    Args:
        segment: as it stands in the token.
        unencoded: take a header, too, that says that the payload was signed as it is (RFC 7797).

    Raises:
        TokenError: malformed, or it asks for what is never given: a key of its own, ``none``, an extension.
    """
    try:
        members = decode_object(decode_segment(segment))
    except (Base64Error, JsonError) as error:
        raise type(error)(f"header: {error.reason}") from None
    for name in _KEYS:
        if name in members:
            raise EmbeddedKeyError(f"the header brings a key of its own ({name})")
    for name in _TEXTS:
        if name in members and not (isinstance(members[name], str) and members[name]):
            raise HeaderError(f"{name} in the header is not a text")
    _check_extensions(members, unencoded)
    alg, typ = members.get("alg"), members.get("typ")
    if alg is None:
        raise AlgorithmError("the header names no algorithm")
    if alg.lower() == "none":
        raise AlgorithmError("the token is not signed (alg none)")
    return Header(segment, alg, members.get("kid"), None if typ is None else plain_type(typ))


def _check_extensions(members: dict[str, Any], unencoded: bool) -> None:
    """RFC 7515, section 4.1.11; RFC 7797, of which tokens may only say ``true``, which changes nothing."""
    if "crit" in members:
        names = members["crit"]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise CriticalError("crit is not a list of names")
        unknown = [name for name in names if name != "b64"]
        if unknown or names != ["b64"] or "b64" not in members:
            raise CriticalError(f"an extension that must be known is not: {(unknown or names)[0][:40]!a}")
    encoded = members.get("b64", True)
    if encoded is not True and not (unencoded and encoded is False and "crit" in members):
        raise CriticalError(
            "the payload is not base64url (b64), which no token may have (RFC 7797, section 7)"
        )
    if "enc" in members or "zip" in members:
        raise HeaderError("the header is that of an encrypted or compressed token")


def plain_type(typ: str) -> str:
    """A media type as it is compared: in lower case, without ``application/``."""
    return typ.lower().removeprefix("application/")


def parse_payload(segment: bytes) -> dict[str, Any]:
    """The claims; raises TokenFormError as :func:`parse_token`."""
    try:
        return decode_object(decode_segment(segment))
    except (Base64Error, JsonError) as error:
        raise type(error)(f"payload: {error.reason}") from None


def parse_token(token: str | bytes, *, most_bytes: int = MOST_BYTES) -> ParsedToken:
    """Take a token apart, strictly.

    Raises:
        TokenError: its form is refused.
    """
    signed, header, payload, signature = split_token(token, most_bytes)
    return ParsedToken(parse_header(header), parse_payload(payload), signed, parse_signature(signature))


def parse_signature(segment: bytes) -> bytes:
    """The bytes of the signature; raises Base64Error."""
    try:
        return decode_segment(segment)
    except Base64Error as error:
        raise Base64Error(f"signature: {error.reason}") from None


def parse_content(segment: bytes) -> bytes:
    """The bytes of a payload that need not be claims; raises Base64Error."""
    try:
        return decode_segment(segment)
    except Base64Error as error:
        raise Base64Error(f"payload: {error.reason}") from None
