"""A signature in compact form (RFC 7515) by a key of a source, over any payload: claims or not.

    header, payload = verify(text, StaticSource(keys))

Form, header, key and algorithm are checked as a validator checks them. Not checked is who signed for whom,
and whether the key may: nothing here says who may be let in. For tokens there is
:class:`~immure.tokens.validator.Validator`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from immure import clock
from immure.tokens.errors import SignatureError
from immure.tokens.keyset import KeySet
from immure.tokens.parse import MOST_BYTES, Header, parse_content, parse_header, parse_signature, split_token
from immure.tokens.prepared import PreparedKey
from immure.tokens.source import KeySource


def verify(
    text: str | bytes,
    keys: KeySource | KeySet,
    *,
    algorithms: Collection[str] = (),
    now: datetime | None = None,
    most_bytes: int = MOST_BYTES,
) -> tuple[Header, bytes]:
    """Header and payload of a signed text.

    Args:
        text: header, payload and signature with points between them; the payload may be empty.
        keys: among which ``kid`` chooses; without a ``kid``, the only key that there is.
        algorithms: those that are taken; none means all that fit the key and that its source allows.
        now: at which the key must be valid, if not the clock's time.
        most_bytes: of the text.

    Raises:
        TokenError: it is refused; the class and its ``code`` say by which rule.
        KeySourceError: the keys cannot be had now.
    """
    signed, head, payload, last = split_token(text, most_bytes, may_be_empty=True)
    header, content, signature = parse_header(head), parse_content(payload), parse_signature(last)
    key = PreparedKey(keys.find(header.kid))
    key.check_usable()
    key.check_time((now or clock.now()).timestamp(), "now")
    holds = key.check_algorithm(header.alg, frozenset(algorithms))
    if not holds(signature, signed):
        raise SignatureError("the signature does not hold")
    return header, content
