"""Settings in a TOML file; ``docs/reference/mail.md`` has all of them.

version = 1
introspection = "http://127.0.0.1:8930/introspect"
client = "dovecot"
secret_file = "dovecot.secret"

[domains."contoso.example"]
issuer = "https://login.example/enterprise"
tenant = "7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, get_args

from immure.custody.secret_file import read_secret_file, wipe
from immure.errors import ImmureError, UsageError
from immure.introspection.table import Table
from immure.mail.errors import MailSettingsError
from immure.mail.settings import (
    LISTENERS,
    Accounts,
    Asking,
    Domain,
    MailSettings,
    Naming,
    PostfixSocket,
    Relay,
)
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
_USUAL: Final = {"imap": 143, "imaps": 993, "submission": 587, "submissions": 465}
_EVENTS: Final = "/var/log/immure/dovecot-events.jsonl"


def read_mail_settings(path: str | os.PathLike[str]) -> MailSettings:
    """The settings in a file; other files that it names are beside it, or named from the root.

    Raises:
        MailSettingsError: it, or the secret's file, cannot be read or understood; names the file and the
            member.
    """
    name, data = read_bounded(path, MOST_BYTES, MailSettingsError)
    return parse_mail_settings(data, name)


def parse_mail_settings(data: bytes, path: str) -> MailSettings:
    """The settings that ``data`` holds; raises as :func:`read_mail_settings`."""
    values = parse_toml(data, path, MOST_BYTES, MailSettingsError)
    try:
        return _settings(Table(values), Path(path).absolute().parent)
    except ImmureError as error:
        raise MailSettingsError(str(error), path=path) from error


def _settings(table: Table, beside: Path) -> MailSettings:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    asking = _asking(table, beside)
    naming: Naming = table.choice("username", get_args(Naming), "name")
    tls, log = table.table("tls"), table.table("log")
    listen = table.table("listen")
    made: dict[str, Any] = {
        "domains": {name: _domain(one) for name, one in table.tables("domains")},
        "asking": asking,
        "naming": naming,
        "certificate": beside / tls.text("certificate"),
        "key": beside / tls.text("key"),
        **_storage(table.table("storage"), beside),
        **_listening(listen, beside),
        **_logs(log, beside),
        "relay": _relay(table.table("relay")),
        "postfix": _postfix(table.table("postfix"), beside) if table.has("postfix") else None,
    }
    for one in (table, tls):
        one.end()
    return MailSettings(**made)


def _asking(table: Table, beside: Path) -> Asking:
    ca_file = table.optional("ca_file")
    return Asking(
        table.text("introspection"),
        table.text("client", "dovecot"),
        _secret(beside / table.text("secret_file")),
        None if ca_file is None else beside / ca_file,
        table.number("timeout_seconds", 5, 1, 60),
    )


def _secret(path: Path) -> str:
    data = read_secret_file(str(path))
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise MailSettingsError("is no secret of immure serve client-secret", path=str(path)) from None
    finally:
        wipe(data)


def _domain(table: Table) -> Domain:
    made = Domain(table.text("issuer"), table.optional("tenant"))
    table.end()
    return made


def _storage(table: Table, beside: Path) -> dict[str, Any]:
    directory = beside / table.text("directory", "/var/mail/immure")
    accounts = Accounts(
        table.text("owner", "vmail"),
        table.text("group", "vmail"),
        table.optional("service_account"),
        table.optional("service_group"),
    )
    table.end()
    return {"storage": directory, "accounts": accounts}


def _listening(table: Table, beside: Path) -> dict[str, Any]:
    made: dict[str, Any] = {
        "listen": table.text("address", "*"),
        "ports": {name: table.number(name, _USUAL[name], 0, 65535) for name in LISTENERS},
        "failure_seconds": table.number("failure_seconds", 2, 0, 60),
    }
    for name, member in (("run", "run_directory"), ("state", "state_directory")):
        given = table.optional(member)
        made[name] = None if given is None else beside / given
    table.end()
    return made


def _logs(table: Table, beside: Path) -> dict[str, Any]:
    """Events are on unless somebody says ``off``: without them nobody can say what was read."""
    off = table.flag("off")
    events = beside / table.text("events", _EVENTS)
    log = table.text("log", "syslog")
    table.end()
    return {"events": None if off else events, "log": log if log == "syslog" else str(beside / log)}


def _relay(table: Table) -> Relay:
    made = Relay(
        table.text("host", "127.0.0.1"),
        table.number("port", 25, 1, 65535),
        table.choice("tls", ("no", "starttls", "smtps"), "no"),
    )
    table.end()
    return made


def _postfix(table: Table, beside: Path) -> PostfixSocket:
    made = PostfixSocket(
        beside / table.text("socket", "/var/spool/postfix/private/auth"),
        table.text("user", "postfix"),
        table.text("group", "postfix"),
    )
    table.end()
    return made
