"""Settings in a TOML file; ``docs/reference/introspection.md`` has all of them.

version = 1
policy = "mail.toml"

[log]
directory = "/var/lib/immure/accepted"

[clients.mail-store]
audiences = ["https://mail.example"]
secrets = ["sha256:…"]
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from immure.errors import InputError, UsageError
from immure.introspection.answers import RESERVED
from immure.introspection.settings import (
    IDENTITY,
    Client,
    Consumer,
    Forward,
    Listen,
    Refusals,
    Settings,
)
from immure.introspection.table import Table
from immure.tokens.acceptance.keeping import Durable, Keeping
from immure.tokens.policy import Policy
from immure.tokens.policy_file import read_policy
from immure.tokens.sources import FileSource, UrlSource
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?")
_SECRET: Final = re.compile(r"sha256:([0-9a-f]{64})")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")
#: RFC 9110, section 5.6.2.
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TAKEN_HEADERS: Final = frozenset(
    {
        "authorization", "connection", "content-length", "content-type", "cookie", "date", "host",
        "keep-alive", "location", "proxy-authorization", "set-cookie", "te", "trailer", "transfer-encoding",
        "upgrade", "www-authenticate", "cache-control",
    }
)  # fmt: skip


def read_settings(path: str | os.PathLike[str], listen: Mapping[str, Any] | None = None) -> Settings:
    """The settings in a file; other files that it names are beside it, or named from the root.

    Args:
        path: the file.
        listen: members of the table ``listen`` that count instead of the file's; None takes one away.

    Raises:
        UsageError: it, or a file that it names, cannot be read or understood; names the file and the member.
    """
    name, data = read_bounded(path, MOST_BYTES)
    return parse_settings(data, name, listen)


def parse_settings(data: bytes, path: str, listen: Mapping[str, Any] | None = None) -> Settings:
    """The settings that ``data`` holds; raises as :func:`read_settings`."""
    values = parse_toml(data, path, MOST_BYTES)
    try:
        if listen and isinstance(values.setdefault("listen", {}), dict):
            merged = {**values["listen"], **listen}
            values["listen"] = {name: value for name, value in merged.items() if value is not None}
        return _settings(Table(values), Path(path).parent)
    except InputError as error:
        raise UsageError(str(error), path=path) from error
    except UsageError as error:
        raise UsageError(str(error), path=path) from error


def _settings(table: Table, beside: Path) -> Settings:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    policy: Policy = read_policy(beside / table.text("policy"))
    listening = table.table("listen")
    header = listening.optional("client_certificate_header")
    arguments: dict[str, Any] = {
        "clients": {_name(n, "clients"): _client(one, beside) for n, one in table.tables("clients")},
        "forward": {_name(n, "forward"): _forward(one) for n, one in table.tables("forward")},
        "listen": _listen(listening, beside),
        "certificate_header": None if header is None else _header(header, "listen").lower(),
        **_answers(table.table("introspection")),
        **_log(table.table("log"), beside),
        **_watching(table.table("operations")),
    }
    table.end()
    return Settings(policy, **arguments)


def _client(table: Table, beside: Path) -> Client:
    made = Client(
        frozenset(table.texts("audiences")),
        secrets=tuple(_secret(one, table.name) for one in table.texts("secrets")),
        keys=_keys(table, beside),
        certificates=frozenset(_thumbprint(one, table.name) for one in table.texts("certificates")),
        anonymous=table.flag("anonymous"),
        checks_binding=table.flag("checks_binding"),
    )
    table.end()
    return made


def _keys(table: Table, beside: Path) -> FileSource | UrlSource | None:
    """A client's keys sign for the client, whatever they say of themselves (RFC 7523, section 3: ``iss``)."""
    file, url = table.optional("keys"), table.optional("keys_url")
    if file is not None and url is not None:
        raise UsageError(f"{table.name} has keys and keys_url")
    issuer = table.name.partition(".")[2]
    if file is not None:
        return FileSource(beside / file, issuer=issuer)
    return None if url is None else UrlSource(url, issuer=issuer)


def _forward(table: Table) -> Forward:
    consumer: Any = table.choice("consumer", get_args(Consumer))
    options: dict[str, Any] = {}
    if table.has("headers"):
        options["headers"] = _headers(table.table("headers"))
    if table.has("unavailable"):
        options["unavailable"] = table.number("unavailable", 503, 403, 503)
    made = Forward(
        consumer,
        table.text("audience"),
        scopes=frozenset(_scope(one, table.name) for one in table.texts("scopes")),
        realm=_plain(table.text("realm", "immure"), table.name),
        client_certificate=table.flag("client_certificate"),
        **options,
    )
    table.end()
    return made


def _headers(table: Table) -> dict[str, str]:
    made = {name: _header(table.text(name), table.name) for name in IDENTITY if table.has(name)}
    table.end()
    if len({name.lower() for name in made.values()}) != len(made):
        raise UsageError(f"{table.name} names a header twice")
    return made


def _listen(table: Table, beside: Path) -> Listen:
    host, port = _address(table.text("address", "127.0.0.1:8930"), table.name)
    unix, certificate, key = (table.optional(name) for name in ("unix", "certificate", "key"))
    made = Listen(
        host,
        port,
        unix=None if unix is None else beside / unix,
        certificate=_readable(certificate, beside, f"{table.name}.certificate"),
        key=_readable(key, beside, f"{table.name}.key"),
        behind_proxy=table.flag("behind_proxy"),
        workers=table.number("workers", 1, 1, 256),
        inherited=table.flag("inherited"),
    )
    table.end()
    return made


def _readable(name: str | None, beside: Path, where: str) -> Path | None:
    if name is None:
        return None
    try:
        with (beside / name).open("rb"):
            return beside / name
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "not the name of a file"
        raise UsageError(f"{where} cannot be read: {words}") from error


def _answers(table: Table) -> dict[str, Any]:
    made: dict[str, Any] = {
        "endpoint": frozenset(table.texts("endpoint")),
        "username": table.optional("username"),
        "claims": table.texts("claims"),
    }
    taken = RESERVED.intersection(made["claims"])
    if taken:
        raise UsageError(f"introspection.claims: {min(taken)} means something of its own in an answer")
    table.end()
    return made


def _log(table: Table, beside: Path) -> dict[str, Any]:
    durable: Durable = table.choice("durable", get_args(Durable), "write")
    keeping = Keeping(
        durable,
        sync_every=table.number("sync_milliseconds", 50, 1, 60_000) / 1000,
        segment_bytes=table.number("segment_megabytes", 256, 1, 1 << 20) << 20,
        segment_seconds=table.number("segment_seconds", 3600, 1, 1 << 30),
        most_waiting=table.number("most_waiting", 10_000, 1, 1_000_000),
    )
    off = table.flag("off")
    directory = None if off else beside / table.text("directory")
    table.end()
    return {"log_directory": directory, "keeping": keeping}


def _watching(table: Table) -> dict[str, Any]:
    made = {
        "metrics": table.flag("metrics", default=True),
        "journal": table.choice("journal", get_args(Refusals), "refused"),
    }
    table.end()
    return made


def _name(name: str, where: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{where}: {name[:80]!a} is no name: letters in lower case, digits, - _ .")
    return name


def _secret(text: str, where: str) -> bytes:
    match = _SECRET.fullmatch(text)
    if match is None:
        raise UsageError(f"{where}.secrets: not sha256: and 64 hexadecimal digits, of a secret that was made")
    return bytes.fromhex(match[1])


def _scope(text: str, where: str) -> str:
    if _SCOPE.fullmatch(text) is None:
        raise UsageError(f"{where}.scopes: {text[:80]!a} is no scope (RFC 6749, section 3.3)")
    return text


def _thumbprint(text: str, where: str) -> str:
    if _THUMBPRINT.fullmatch(text) is None:
        raise UsageError(f"{where}.certificates: {text[:80]!a} is no SHA-256 thumbprint in base64url")
    return text


def _header(name: str, where: str) -> str:
    if _HEADER.fullmatch(name) is None or name.lower() in _TAKEN_HEADERS:
        raise UsageError(f"{where}: {name[:80]!a} is no name for a header of ours")
    return name


def _plain(text: str, where: str) -> str:
    if not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
        raise UsageError(f"{where}.realm has characters that a challenge cannot hold")
    return text


def _address(text: str, where: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 <= int(port[:6]) <= 65535:
        raise UsageError(f"{where}.address is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
