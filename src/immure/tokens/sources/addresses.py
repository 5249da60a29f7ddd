"""URLs as they are compared (RFC 3986, section 6.2): what leads to one document is one address.

>>> plain_url("HTTPS://Login.example:443/a/../k%65ys#x")
'https://login.example/keys'
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_PORTS: Final = {"https": 443, "http": 80}


def plain_url(url: str) -> str:
    """A URL that may be fetched, without the differences that make none.

    What is left different may still be the same document: nobody can tell that of a query or a second name.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    return urlunsplit((parts.scheme, host + port, quote(_path(unquote(parts.path))), parts.query, ""))


def _path(path: str) -> str:
    """Without ``.`` and ``..`` (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)
