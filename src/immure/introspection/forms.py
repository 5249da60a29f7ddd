"""``application/x-www-form-urlencoded``, read in one way only.

>>> parse_form(b"token=a.b.c&token_type_hint=access_token")
{'token': 'a.b.c', 'token_type_hint': 'access_token'}
>>> parse_form(b"token=a&token=b")
Traceback (most recent call last):
...
immure.introspection.errors.FormError: a parameter is there twice: 'token'
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from immure.introspection.errors import FormError

_MOST_PARAMETERS: Final = 32
#: What a token is made of (RFC 7515, section 7.1).
_SIMPLE: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
_MALFORMED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse_form(body: bytes) -> dict[str, str]:
    """The parameters of a form, each there once (RFC 6749, section 3.1).

    Raises:
        FormError: a parameter twice, more than 32 of them, a broken escape, or no UTF-8.
    """
    if body[:6] == b"token=" and body[6:].translate(None, _SIMPLE) == b"":
        return {"token": body[6:].decode("ascii")}  # what nearly all send, sooner
    if body.count(b"&") >= _MOST_PARAMETERS:
        raise FormError(f"more than {_MOST_PARAMETERS} parameters")
    made: dict[str, str] = {}
    for part in body.split(b"&"):
        if not part:
            continue
        name, _, value = part.partition(b"=")
        key = form_decoded(name)
        if key in made:
            raise FormError(f"a parameter is there twice: {key[:40]!a}")
        made[key] = form_decoded(value)
    return made


def form_decoded(data: bytes) -> str:
    """A name or a value without its escapes; raises FormError as :func:`parse_form`."""
    try:
        text = data.decode("ascii")
        if "%" not in text and "+" not in text:
            return text
        if _MALFORMED.search(text):
            raise FormError("an escape (%) is broken")
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeError:
        raise FormError("a parameter is not UTF-8 behind its escapes") from None
