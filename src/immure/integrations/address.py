"""The address of a request, of parts that a client may have made up.

>>> address("https", "mail.example:8443", "/inbox")
'https://mail.example:8443/inbox'
>>> address("https", "mail.example/outbox?", "/inbox")
'https://host.invalid/inbox'

A ``Host`` with a slash in it would otherwise say which path was asked for, and so for which path a DPoP proof
must be (RFC 9449, section 4.3).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

#: Names, numbers, and a port (RFC 3986, section 3.2.2); nothing that ends them.
_HOST: Final = re.compile(r"([A-Za-z0-9._\-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
#: What a path may have as it is (RFC 3986, section 3.3).
_SAFE: Final = "/!$&'()*+,;=:@"


def address(scheme: str, host: str, path: str) -> str:
    """The address; a host that is none becomes one that nobody has (RFC 6761, section 6.4).

    Args:
        scheme: from the server, not from the client.
        host: from the ``Host`` header.
        path: as it is in the request.
    """
    return f"{scheme}://{host if _HOST.fullmatch(host) else 'host.invalid'}{path}"


def encoded(path: str) -> str:
    """A path that a server has decoded, encoded again.

    >>> encoded("/a b/50%")
    '/a%20b/50%25'
    """
    return quote(path, safe=_SAFE)
