"""The token of a request: from one ``Authorization`` field, and from nowhere else (RFC 6750, section 2.1).

>>> read_credentials(["Bearer abc"])
Credentials(scheme='bearer')
>>> read_credentials([]) is None
True

Tokens in the query or in the body (sections 2.2 and 2.3) end in logs and histories, and are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from immure.errors import InputError
from immure.tokens.parse import MOST_BYTES

BEARER: Final = "bearer"
DPOP: Final = "dpop"
#: RFC 9110, section 11.2, where RFC 6750 has the name b64token for it.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class CredentialsError(InputError):
    """The ``Authorization`` field is there more than once, or is malformed."""

    code = "credentials"


@dataclass(frozen=True)
class Request:
    """What there is to know of a request; its representation shows nothing secret.

    Attributes:
        method: as in HTTP.
        url: absolute; query and fragment do not matter.
        authorization: every value of that field, and not only the first.
        dpop: every value of the ``DPoP`` field (RFC 9449).
        certificate: of the client, DER, from its TLS connection (RFC 8705).
    """

    method: str
    url: str = field(repr=False)
    authorization: Sequence[str] = field(repr=False)
    dpop: Sequence[str] = field(default=(), repr=False)
    certificate: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Credentials:
    """A token, and the scheme with which it was presented: ``bearer`` or ``dpop``."""

    scheme: str
    token: str = field(repr=False)


def read_credentials(values: Sequence[str]) -> Credentials | None:
    """The token in the ``Authorization`` field; None if there is none, or another scheme.

    Args:
        values: every value of the field.

    Raises:
        CredentialsError: several fields, or no token behind the scheme.
    """
    if not values:
        return None
    if len(values) > 1:
        raise CredentialsError("there is more than one Authorization field")
    scheme, _, token = values[0].strip(" \t").partition(" ")
    if not scheme:
        raise CredentialsError("the Authorization field is malformed")
    scheme = scheme.lower()
    if scheme not in (BEARER, DPOP):
        return None
    token = token.lstrip(" ")
    if len(token) <= MOST_BYTES and not _TOKEN68.fullmatch(token):  # a longer one no policy takes
        raise CredentialsError("the Authorization field is malformed")
    return Credentials(scheme, token)
