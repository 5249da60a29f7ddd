"""Settings in a TOML file; ``docs/reference/notification.md`` has all of them.

version = 1

[sender]
name = "Example Login"
address = "security@login.example"

[smtp]
host = "mail.login.example"

[tenants.contoso]
mail = ["security@contoso.example"]
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Any, Final

from immure.custody.secret_file import read_secret_file, wipe
from immure.errors import ImmureError, UsageError
from immure.introspection.table import Table
from immure.response.notification.errors import SettingsError
from immure.response.notification.settings import (
    Contact,
    Hooks,
    Pace,
    Sender,
    Settings,
    Smtp,
    check_address,
    check_language,
)
from immure.secret import Secret
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 8 << 20
_MOST_SECRET: Final = 4096
#: Bytes that a webhook's secret has at least and at most (Standard Webhooks: 24 to 64).
_SECRET_BYTES: Final = (24, 64)
_PREFIX: Final = b"whsec_"


def read_settings(path: str | os.PathLike[str]) -> Settings:
    """The settings in a file; files that it names are beside it, or named from the root.

    Raises:
        SettingsError: it, or a file that it names, cannot be read or understood; names file and member.
    """
    name, data = read_bounded(path, MOST_BYTES, SettingsError)
    return parse_settings(data, name)


def parse_settings(data: bytes, path: str) -> Settings:
    """The settings that ``data`` holds; raises as :func:`read_settings`."""
    values = parse_toml(data, path, MOST_BYTES, SettingsError)
    try:
        return _settings(Table(values), Path(path).absolute().parent)
    except ImmureError as error:
        raise SettingsError(str(error), path=path) from error


def _settings(table: Table, beside: Path) -> Settings:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    made = Settings(
        _sender(table.table("sender")),
        {name: _contact(one, beside) for name, one in table.tables("tenants")},
        _smtp(table.table("smtp"), beside) if table.has("smtp") else None,
        _hooks(table.table("webhook"), beside),
        _pace(table.table("sending")),
    )
    table.end()
    return made


def _sender(table: Table) -> Sender:
    made = Sender(
        _line(table.text("name"), "sender.name"),
        check_address(table.text("address")),
        _line(table.optional("contact") or "", "sender.contact"),
        check_language(table.text("language", "en")),
    )
    table.end()
    return made


def _smtp(table: Table, beside: Path) -> Smtp:
    tls = table.choice("tls", ("starttls", "tls", "none"), "starttls")
    password_file = table.optional("password_file")
    made = Smtp(
        table.text("host"),
        table.number("port", {"starttls": 587, "tls": 465, "none": 25}[tls], 1, 65535),
        tls,
        table.optional("user"),
        None if password_file is None else Secret(_secret(beside / password_file)),
        _beside(table.optional("ca_file"), beside),
        table.number("timeout_seconds", 30, 1, 600),
    )
    table.end()
    return made


def _hooks(table: Table, beside: Path) -> Hooks:
    made = Hooks(
        _beside(table.optional("ca_file"), beside),
        table.flag("allow_private_hosts"),
        table.flag("allow_loopback"),
        table.number("timeout_seconds", 30, 1, 600),
    )
    table.end()
    return made


def _pace(table: Table) -> Pace:
    usual = Pace()
    made = Pace(
        table.number("attempts", usual.attempts, 1, 100),
        table.number("first_wait_seconds", int(usual.first_wait), 0, 3600),
        table.number("longest_wait_seconds", int(usual.longest_wait), 0, 86_400),
        table.number("at_once", usual.at_once, 1, 64),
    )
    table.end()
    return made


def _contact(table: Table, beside: Path) -> Contact:
    secret_file = table.optional("webhook_secret_file")
    members: dict[str, Any] = {
        "name": _line(table.optional("name") or "", f"{table.name}.name"),
        "language": table.optional("language") or "",
        "mail": table.texts("mail"),
        "webhook": _line(table.optional("webhook") or "", f"{table.name}.webhook"),
        "webhook_secret": None if secret_file is None else Secret(_hook_secret(beside / secret_file)),
    }
    table.end()
    return Contact(**members)


def _line(text: str, where: str) -> str:
    if len(text) > 1000 or (text and not text.isprintable()):
        raise UsageError(f"{where} is a line of up to 1000 characters")
    return text


def _beside(name: str | None, beside: Path) -> Path | None:
    return None if name is None else beside / name


def _secret(path: Path) -> bytes:
    data = read_secret_file(str(path), most=_MOST_SECRET)
    try:
        return bytes(data).strip()
    finally:
        wipe(data)


def _hook_secret(path: Path) -> bytes:
    """The key in a file that holds ``whsec_`` and base64, as receivers of Standard Webhooks are given it."""
    text = _secret(path)
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise SettingsError("is no secret: it holds whsec_ and base64", path=str(path)) from error
    least, most = _SECRET_BYTES
    if not text.startswith(_PREFIX) or not least <= len(key) <= most:
        raise SettingsError(f"is no secret: whsec_ and base64 of {least} to {most} bytes", path=str(path))
    return key
