"""The URL of a registry in PostgreSQL: what may stand in it, and what of it is ever shown.

>>> name, url = parse_url("postgresql://ops:pass%40word@db.example/keys?sslmode=verify-full")
>>> name
'postgresql://ops@db.example/keys?sslmode=verify-full'
>>> url.password
'pass@word'

A password never comes into a message: what cannot be read as a URL is not quoted at all, since a part of a
password may stand anywhere in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from immure.registry.errors import RegistryError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

#: Schemes that mean PostgreSQL.
SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
#: Parameters of libpq that may stand in a URL. Passwords may not: they would be shown with it.
PARAMETERS: Final = frozenset(
    {
        "application_name",
        "channel_binding",
        "gssencmode",
        "host",
        "krbsrvname",
        "passfile",
        "port",
        "require_auth",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)
#: Characters of the longest URL.
_MOST_TEXT: Final = 4096
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]{0,39}):", re.ASCII)
_SERVER = re.compile(r"[A-Za-z][A-Za-z0-9+._-]*://|postgres(?:ql)?(?:\+[A-Za-z0-9_]*)?:", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._:-]+|/[^@?]*", re.ASCII)
_HOST_AND_PORT = re.compile(r"\A([^:]+):[0-9]+\Z")
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|::1|/.*", re.ASCII)
_FORM: Final = "is not of the form postgresql://user@host:port/database"


def is_url(path: str) -> bool:
    """Whether a registry is named by a URL, and not by a path."""
    return _SERVER.match(path) is not None


def parse_url(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, URL]:
    """The name for messages, which opens the same database again, and the URL for SQLAlchemy.

    A server that is neither on this machine nor given an ``sslmode`` (by the URL or ``PGSSLMODE``) must show
    a certificate for its name: ``verify-full``.

    Raises:
        RegistryError: it is not a URL of PostgreSQL, or has something in it that may not be there.
    """
    from sqlalchemy.engine import URL

    scheme = _scheme(text)
    given = _parsed(text, f"{scheme}://…")
    name = URL.create(
        "postgresql", given.username, None, given.host, given.port, given.database, given.query
    ).render_as_string()
    hosts = _hosts(given, environment)
    for host in hosts:
        if not _HOST.fullmatch(host):  # what follows an @ in a password would stand here
            raise RegistryError("names no host: is '@' of a password written %40?", path=f"{scheme}://…")
    query = dict(given.query)
    if not {"sslmode", "PGSSLMODE"} & {*query, *environment} and not all(map(_LOOPBACK.fullmatch, hosts)):
        query["sslmode"] = "verify-full"
    return name, given.set(drivername="postgresql+psycopg", query=query)


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found is not None else ""
    if scheme not in SCHEMES:
        words = "a registry is a TOML file, an SQLite database, or in PostgreSQL (postgresql://…)"
        if scheme.startswith("sqlite"):
            words = "an SQLite registry is given by its path"
        elif scheme.startswith("postgresql+"):
            words = "of the drivers only psycopg is used: postgresql+psycopg://…"
        raise RegistryError(words, path=f"{scheme}://…")
    return scheme


def _parsed(text: str, shown: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if len(text) > _MOST_TEXT or not text.isprintable() or "://" not in text:
        raise RegistryError(_FORM, path=shown)
    if text.count("@") > 1:  # whatever follows the first one would be taken for the host, and shown
        raise RegistryError("has more than one '@': in a password it is written %40", path=shown)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # their text may quote a part of the password
        raise RegistryError(_FORM, path=shown) from None
    for name in sorted(url.query.keys() - PARAMETERS):
        words = ": it belongs into PGPASSWORD or a file (PGPASSFILE)" if "password" in name else ""
        raise RegistryError(f"parameter {name[:40]!r} cannot be set here{words}", path=shown)
    if not url.database:
        raise RegistryError(f"names no database; a URL {_FORM.removeprefix('is not ')} does", path=shown)
    return url


def _hosts(url: URL, environment: Mapping[str, str]) -> list[str]:
    """Where libpq will go. Nothing in this list means a socket on this machine."""
    given = url.query.get("host", ())
    several = [given] if isinstance(given, str) else list(given)
    hosts = [url.host, *several] if url.host else several
    if not hosts and "PGSERVICE" in environment:
        return ["unknown"]
    hosts = hosts or environment.get("PGHOST", "").split(",")
    # of several in a parameter each may have its port (host=one:5432)
    return [_HOST_AND_PORT.sub(r"\1", host) for text in hosts for host in text.split(",") if host]
