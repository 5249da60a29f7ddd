"""The settings of a containment in a TOML file; ``docs/reference/deny-list.md`` and
``docs/howto/contain-a-key.md`` have all of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, get_args

from immure.errors import ImmureError, UsageError
from immure.introspection.table import Table
from immure.probe.channels.connection import Tls
from immure.probe.channels.sasl import Mechanism
from immure.probe.target import How, parse_target
from immure.response.containment.errors import ContainmentSettingsError
from immure.response.containment.settings import (
    LIFETIME,
    Cache,
    Containment,
    DenyListSettings,
    Door,
    EventSettings,
    Party,
    Reconcile,
    Witness,
)
from immure.response.events.streams import POLL, PUSH, Stream
from immure.tokens.deny_list import LONGEST
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?")
_STATUSES: Final = frozenset(range(200, 300))


def read_containment(path: str | os.PathLike[str]) -> Containment:
    """The settings in a file; other files that it names are beside it, or named from the root.

    Raises:
        ContainmentSettingsError: it cannot be read or understood; names the file and the member.
    """
    name, data = read_bounded(path, MOST_BYTES, ContainmentSettingsError)
    return parse_containment(data, name)


def parse_containment(data: bytes, path: str) -> Containment:
    """The settings that ``data`` holds; raises as :func:`read_containment`."""
    values = parse_toml(data, path, MOST_BYTES, ContainmentSettingsError)
    try:
        return _containment(Table(values), Path(path).parent)
    except ImmureError as error:
        raise ContainmentSettingsError(str(error), path=path) from error


def _containment(table: Table, beside: Path) -> Containment:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    signing, registry = _signing(table, beside)
    owned = table.texts("owned")
    made = Containment(
        registry,
        signing,
        key_sets=table.texts("key_sets"),
        key_set_files=tuple(beside / one for one in table.texts("key_set_files")),
        deny_list=_deny_list(table.table("deny_list"), beside) if table.has("deny_list") else None,
        events=_events(table.table("events"), beside) if table.has("events") else None,
        caches={_name(name, "caches"): _cache(one, beside) for name, one in table.tables("caches")},
        parties={
            _name(name, "relying_parties"): _party(name, one, beside, owned)
            for name, one in table.tables("relying_parties")
        },
        owned=owned,
        patience=float(table.number("patience_seconds", 10, 1, 600)),
        reconcile=_reconcile(table.table("reconcile"), beside) if table.has("reconcile") else None,
    )
    table.end()
    return made


def _signing(table: Table, beside: Path) -> tuple[Any, str]:
    from immure.signing.settings_file import read_settings

    signing, registry = table.optional("signing"), table.optional("registry")
    if (signing is None) == (registry is None):
        raise UsageError("signing, or else registry, is needed")
    if signing is not None:
        found = read_settings(beside / signing)
        return found, found.registry
    place = registry or ""
    return None, place if "://" in place else str(beside / place)


def _deny_list(table: Table, beside: Path) -> DenyListSettings:
    made = DenyListSettings(
        table.text("name"),
        _key(table.text("key"), beside),
        beside / table.text("directory"),
        table.number("lifetime_seconds", LIFETIME, 60, LONGEST),
        tuple(beside / one for one in table.texts("copies")),
        table.flag("epoch", default=True),
    )
    table.end()
    return made


def _events(table: Table, beside: Path) -> EventSettings:
    made = EventSettings(
        table.text("issuer"),
        _key(table.text("key"), beside),
        beside / table.text("store"),
        table.optional("kid") or "",
        tuple(_stream(_name(name, "events.streams"), one, beside) for name, one in table.tables("streams")),
        table.flag("private_hosts"),
        _file(table, "ca_file", beside),
        float(table.number("seconds", 10, 1, 600)),
    )
    table.end()
    return made


def _stream(name: str, table: Table, beside: Path) -> Stream:
    endpoint, requested = table.optional("endpoint"), table.texts("events")
    secret = _file(table, "authorization_file", beside)
    made = Stream(
        name,
        name,
        table.text("audience", name),
        POLL if endpoint is None else PUSH,
        endpoint or "",
        "" if secret is None else _secret(secret),
        requested or None,
    )
    table.end()
    return made


def _secret(path: str) -> str:
    """The value of a header, out of a file that only its owner reads."""
    from immure.custody.secret_file import read_secret_file, wipe

    data = read_secret_file(path)
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise UsageError("is not ASCII", path=path) from None
    finally:
        wipe(data)


def _cache(table: Table, beside: Path) -> Cache:
    made = Cache(
        table.optional("url") or "",
        table.text("method", "PURGE"),
        table.texts("command"),
        table.flag("private_hosts"),
        _file(table, "ca_file", beside),
        float(table.number("seconds", 10, 1, 600)),
    )
    if bool(made.url) == bool(made.command):
        raise UsageError(f"{table.name} has a url, or else a command")
    table.end()
    return made


def _party(name: str, table: Table, beside: Path, owned: tuple[str, ...]) -> Party:
    accepted = _file(table, "accepted", beside)
    made = Party(
        name,
        table.optional("audience") or "",
        table.optional("push") or "",
        table.flag("private_hosts"),
        _file(table, "ca_file", beside),
        float(table.number("seconds", 10, 1, 600)),
        _door(table.table("probe"), beside, owned) if table.has("probe") else None,
        _witness(table.table("witness"), beside) if table.has("witness") else None,
        None if accepted is None else Path(accepted),
        table.optional("logged_as") or "",
    )
    table.end()
    return made


def _door(table: Table, beside: Path, owned: tuple[str, ...]) -> Door:
    client, secret = table.optional("client_id"), _file(table, "client_secret_file", beside)
    if (client is None) != (secret is None):
        raise UsageError(f"{table.name}: client_id and client_secret_file belong together")
    tls: Tls | None = table.choice("tls", get_args(Tls)) if table.has("tls") else None
    mechanism: Mechanism = table.choice("mechanism", get_args(Mechanism), "XOAUTH2")
    how = How(
        method=table.text("method", "GET"),
        headers=tuple(_header(one, table.name) for one in table.texts("headers")),
        let_in=_STATUSES,
        introspection=table.flag("introspection"),
        client=None if client is None or secret is None else (client, _secret(secret)),
        user=table.optional("user") or "",
        mechanism=mechanism,
        ca_file=_file(table, "ca_file", beside),
        seconds=float(table.number("seconds", 5, 1, 600)),
    )
    url = table.text("url")
    table.end()
    parse_target(url, owned, tls=tls)  # so that a wrong one is known before anything is done
    return Door(url, how, tls)


def _header(text: str, where: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"{where}.headers: not NAME:VALUE")
    return name.strip(), value.strip()


def _witness(table: Table, beside: Path) -> Witness:
    paths = [_file(table, name, beside) for name in ("secret_file", "file", "control_file")]
    secret, file, control = (None if one is None else Path(one) for one in paths)
    made = Witness(table.optional("client") or "", secret, table.optional("scope") or "", file, control)
    if bool(made.client) != bool(made.secret_file) or not (made.client or made.file):
        raise UsageError(f"{table.name} has a client with a secret_file, or a file")
    table.end()
    return made


def _reconcile(table: Table, beside: Path) -> Reconcile:
    log = table.optional("log")
    made = Reconcile(
        beside / table.text("segments"),
        None if log is None else beside / log,
        table.optional("log_key") or "",
    )
    if (made.log is None) != (made.log_key == ""):
        raise UsageError(f"{table.name}: log and log_key belong together")
    table.end()
    return made


def _file(table: Table, name: str, beside: Path) -> str | None:
    value = table.optional(name)
    return None if value is None else str(beside / value)


def _key(uri: str, beside: Path) -> str:
    """A key's URI; a relative file of it is beside the settings."""
    scheme, colon, rest = uri.partition(":")
    if scheme in ("file", "file+unsafe") and colon and not rest.startswith("/"):
        return f"{scheme}:{beside.resolve() / rest}"
    return uri


def _name(name: str, where: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{where}: {name[:80]!a} is no name: letters in lower case, digits, - _ .")
    return name
