"""Settings of the signing service in a TOML file; ``docs/reference/signing.md`` has all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import quote, unquote

from immure.custody.algorithms import ALGORITHMS
from immure.errors import ImmureError, InputError, UsageError
from immure.introspection.settings import Listen
from immure.introspection.table import Table
from immure.registry.scope import KeyScope
from immure.signing.rotation import Plan
from immure.signing.settings import Audience, Bound, Client, Issuer, Settings, Trusted
from immure.tokens.source import KeySource
from immure.tokens.sources import FileSource, UrlSource
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
PIN_SOURCE: Final = "pin-source="
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?")
_SECRET: Final = re.compile(r"sha256:([0-9a-f]{64})")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")
#: Seconds of the longest token, and days of the longest sign-in and the longest-living key.
_LONGEST: Final = 86_400
_MOST_DAYS: Final = 3650


def read_settings(path: str | os.PathLike[str], listen: Mapping[str, Any] | None = None) -> Settings:
    """The settings in a file; other files that it names are beside it, or named from the root.

    Args:
        path: the file.
        listen: members of the table ``listen`` that count instead of the file's.

    Raises:
        UsageError: it, or a file that it names, cannot be read or understood; names the file and the member.
    """
    name, data = read_bounded(path, MOST_BYTES)
    return parse_settings(data, name, listen)


def parse_settings(data: bytes, path: str, listen: Mapping[str, Any] | None = None) -> Settings:
    """The settings that ``data`` holds; raises as :func:`read_settings`."""
    values = parse_toml(data, path, MOST_BYTES)
    if listen and isinstance(values.setdefault("listen", {}), dict):
        values["listen"] = {**values["listen"], **listen}
    try:
        return _settings(Table(values), Path(path).parent)
    except (InputError, UsageError) as error:
        raise UsageError(str(error), path=path) from error
    except ImmureError as error:
        raise UsageError(error.reason, path=path) from error


def _settings(table: Table, beside: Path) -> Settings:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    listening = table.table("listen")
    header = listening.optional("client_certificate_header")
    ledger = table.table("ledger")
    users = table.optional("users")
    log, log_key = ledger.optional("log"), ledger.optional("log_key")
    made: dict[str, Any] = {
        "issuers": {_name(n, "issuers"): _issuer(n, one, beside) for n, one in table.tables("issuers")},
        "audiences": {n: _audience(one) for n, one in table.tables("audiences")},
        "clients": {_name(n, "clients"): _client(n, one, beside) for n, one in table.tables("clients")},
        "registry": _place(table.text("registry"), beside),
        "ledger": _place(ledger.text("place"), beside),
        "ledger_log": None if log is None else beside / log,
        "log_key": None if log_key is None else _uri(log_key, beside),
        "witnesses": tuple(ledger.texts("witnesses")),
        "witness_quorum": ledger.number("witness_quorum", 0, 0, 32) or None,
        "state": _place(table.text("state"), beside),
        "custody": _uri(table.text("custody"), beside),
        "listen": _listen(listening, beside),
        "users": None if users is None else beside / users,
        "metrics": table.flag("metrics", default=True),
        "custody_seconds": float(table.number("custody_seconds", 10, 1, 120)),
        "certificate_header": None if header is None else header.lower(),
    }
    ledger.end()
    table.end()
    return Settings(**made)


def _issuer(name: str, table: Table, beside: Path) -> Issuer:
    url = table.text("url")
    scope = KeyScope(
        url,
        frozenset(table.texts("audience_classes")),
        frozenset(table.texts("tenants")),
        frozenset(table.texts("clouds")),
    )
    if not scope.audience_classes:
        raise UsageError(f"{table.name}.audience_classes is empty")
    keys = table.table("keys")
    access = table.number("access_token_seconds", 3600, 1, _LONGEST)
    plan = Plan(
        scope,
        keys.choice("algorithm", tuple(ALGORITHMS), "RS256"),
        keys.text("prefix", name),
        keys.number("bits", 2048, 2048, 4096),
        lifetime=_seconds(keys, "lifetime_seconds", 30 * 86400),
        announce=_seconds(keys, "announce_seconds", 86400),
        overlap=_seconds(keys, "overlap_seconds", 2 * 86400),
        most_uses=keys.number("most_uses", 0, 0, 1 << 60) or None,
    )
    keys.end()
    made = Issuer(
        url,
        plan,
        access_seconds=access,
        id_seconds=table.number("id_token_seconds", 3600, 1, _LONGEST),
        code_seconds=table.number("code_seconds", 60, 5, 600),
        refresh_seconds=table.number("refresh_seconds", 30 * 86400, 60, _MOST_DAYS * 86400),
        exchange_from=frozenset(table.texts("exchange_from")),
        trusted={n: _trusted(n, one, beside) for n, one in table.tables("trusted")},
    )
    table.end()
    return made


def _seconds(table: Table, name: str, default: int) -> timedelta:
    return timedelta(seconds=table.number(name, default, 0, _MOST_DAYS * 86400))


def _trusted(name: str, table: Table, beside: Path) -> Trusted:
    source = _keys(table, beside, name)
    if source is None:
        raise UsageError(f"{table.name} needs jwks_file or jwks_url")
    made = Trusted(source, frozenset(table.texts("subjects")), table.optional("tenant") or "")
    table.end()
    return made


def _audience(table: Table) -> Audience:
    made = Audience(table.text("class"), _scopes(table))
    table.end()
    return made


def _client(name: str, table: Table, beside: Path) -> Client:
    made = Client(
        table.text("issuer"),
        frozenset(table.texts("grants")),
        table.texts("audiences"),
        _scopes(table),
        secrets=tuple(_secret(one, table.name) for one in table.texts("secrets")),
        keys=_keys(table, beside, name),
        certificates=frozenset(
            _matching(_THUMBPRINT, one, table.name) for one in table.texts("certificates")
        ),
        public=table.flag("public"),
        serves=frozenset(table.texts("serves")),
        redirect_uris=table.texts("redirect_uris"),
        logout_uris=table.texts("logout_uris"),
        tenant=table.optional("tenant") or "",
        bound=table.choice("bound", get_args(Bound), "none"),
    )
    table.end()
    return made


def _keys(table: Table, beside: Path, issuer: str) -> KeySource | None:
    """Keys that sign for ``issuer``, if they do not say themselves for whom."""
    file, url = table.optional("jwks_file"), table.optional("jwks_url")
    if file is not None and url is not None:
        raise UsageError(f"{table.name} has both jwks_file and jwks_url")
    if file is not None:
        return FileSource(beside / file, issuer=issuer)
    return None if url is None else UrlSource(url, issuer=issuer)


def _listen(table: Table, beside: Path) -> Listen:
    unix, certificate, key = (table.optional(name) for name in ("unix", "certificate", "key"))
    made = Listen(
        host=table.text("host", "127.0.0.1"),
        port=table.number("port", 8940, 0, 65535),
        unix=None if unix is None else beside / unix,
        certificate=None if certificate is None else beside / certificate,
        key=None if key is None else beside / key,
        behind_proxy=table.flag("behind_proxy"),
        workers=table.number("workers", 1, 1, 64),
        inherited=table.flag("inherited"),
    )
    table.end()
    if (made.certificate is None) != (made.key is None):
        raise UsageError("listen: TLS takes a certificate and a key")
    if not (made.is_local or made.certificate or made.behind_proxy):
        raise UsageError("listen: tokens would cross the network in the open: take TLS, or say behind_proxy")
    return made


def _scopes(table: Table) -> frozenset[str]:
    return frozenset(_matching(_SCOPE, one, table.name) for one in table.texts("scopes"))


def _name(name: str, where: str) -> str:
    return _matching(_NAME, name, where)


def _matching(pattern: re.Pattern[str], text: str, where: str) -> str:
    if not pattern.fullmatch(text):
        raise UsageError(f"{where}: {text[:80]!a} is not of the form that is needed here")
    return text


def _secret(text: str, where: str) -> bytes:
    match = _SECRET.fullmatch(text)
    if match is None:
        raise UsageError(f"{where}.secrets holds sha256: and 64 hexadecimal digits; never the secret itself")
    return bytes.fromhex(match[1])


def _place(text: str, beside: Path) -> str:
    return text if "://" in text else str(beside / text)


def _uri(text: str, beside: Path) -> str:
    """A key URI; its file, and its PIN's, are beside the settings if they are not named from the root."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in ("file", "file+unsafe", "keyholder", "keyholder+unix"):
        return text
    path, mark, query = rest.partition("?")
    if query.startswith(PIN_SOURCE):
        pin = query.removeprefix(PIN_SOURCE)
        query = PIN_SOURCE + quote(str(beside.resolve() / unquote(pin)))
    return f"{scheme}:{quote(str(beside.resolve() / unquote(path)))}{mark}{query}"
