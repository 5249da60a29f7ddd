"""A signature in compact form (RFC 7515) by a key of a source, over any payload: claims or not.

    header, payload = verify(text, StaticSource(keys))
    header, payload = verify(text, keys, payload=body)      # what was signed is not in the text (appendix F)
    header, payload = verify(text, SharedSecret(secret, "HS256"))

Form, header, key and algorithm are checked as a validator checks them. Not checked is who signed for whom,
and whether the key may: nothing here says who may be let in. For tokens there is
:class:`~immure.tokens.validator.Validator`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from immure import clock
from immure.keymaterial.key import b64url
from immure.tokens.algorithms import Verifier
from immure.tokens.errors import SignatureError, TokenFormError, TokenSizeError
from immure.tokens.keyset import KeySet
from immure.tokens.parse import MOST_BYTES, Header, parse_content, parse_header, parse_signature, split_token
from immure.tokens.prepared import PreparedKey
from immure.tokens.shared import SharedSecret
from immure.tokens.source import KeySource

#: Bytes of the largest payload beside a text.
MOST_DETACHED = 16 << 20


def verify(
    text: str | bytes,
    keys: KeySource | KeySet | SharedSecret,
    *,
    payload: bytes | None = None,
    algorithms: Collection[str] = (),
    now: datetime | None = None,
    most_bytes: int = MOST_BYTES,
) -> tuple[Header, bytes]:
    """Header and payload of a signed text.

    Args:
        text: header, payload and signature with points between them; the payload may be empty.
        keys: among which ``kid`` chooses; without a ``kid``, the only key that there is. Or a secret.
        payload: what was signed, if it is not in the text; only then may it have been signed as it is, and
            not in base64url (RFC 7797).
        algorithms: those that are taken; none means all that fit the key and that its source allows.
        now: at which the key must be valid, if not the clock's time.
        most_bytes: of the text.

    Raises:
        TokenError: it is refused; the class and its ``code`` say by which rule.
        KeySourceError: the keys cannot be had now.
    """
    signed, head, middle, last = split_token(text, most_bytes, may_be_empty=True)
    header = parse_header(head, unencoded=payload is not None)
    signature = parse_signature(last)
    if payload is None:
        content = parse_content(middle)
    else:
        content, signed = payload, _with(header, middle, payload)
    if not _verifier(header, keys, frozenset(algorithms), now)(signature, signed):
        raise SignatureError("the signature does not hold")
    return header, content


def _with(header: Header, middle: bytes, payload: bytes) -> bytes:
    """What was signed, of a text that has no payload."""
    if middle:
        raise TokenFormError("the text has a payload of its own")
    if len(payload) > MOST_DETACHED:
        raise TokenSizeError(f"a payload of {len(payload)} bytes; {MOST_DETACHED} are taken")
    plain = header.members.get("b64") is False
    return header.segment + b"." + (payload if plain else b64url(payload).encode())


def _verifier(
    header: Header, keys: KeySource | KeySet | SharedSecret, allowed: frozenset[str], now: datetime | None
) -> Verifier:
    if isinstance(keys, SharedSecret):
        keys.check(header.alg, header.kid, allowed)
        return keys.holds
    key = PreparedKey(keys.find(header.kid))
    key.check_usable()
    key.check_time((now or clock.now()).timestamp(), "now")
    return key.check_algorithm(header.alg, allowed)
