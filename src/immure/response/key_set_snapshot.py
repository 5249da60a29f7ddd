"""Key sets as evidence: public ones only.

>>> check_snapshot(b'{"keys": [{"kty": "OKP", "d": "…"}]}', "jwks.json")
Traceback (most recent call last):
...
immure.response.errors.EvidenceError: jwks.json: has a private key in it, and is not copied
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from immure.keymaterial.jwk import is_private_jwk
from immure.response.errors import EvidenceError

MOST_BYTES: Final = 16 << 20


def check_snapshot(data: bytes, path: str) -> None:
    """See that a key set is one, and has no private half in it.

    Raises:
        EvidenceError: it is no JSON object, or holds a private or a symmetric key.
    """
    if len(data) > MOST_BYTES:
        raise EvidenceError(f"a key set of more than {MOST_BYTES:,} bytes", path=path)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EvidenceError("is no key set: no JSON", path=path) from error
    if not isinstance(value, dict):
        raise EvidenceError("is no key set: no object", path=path)
    for one in _objects(value):
        if is_private_jwk(one) or (one.get("kty") == "oct" and "k" in one):
            raise EvidenceError("has a private key in it, and is not copied", path=path)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
