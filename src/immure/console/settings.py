"""Settings of the console in a TOML file; ``docs/howto/run-the-console.md`` has all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from immure.console.roles import Role
from immure.errors import ImmureError, InputError, UsageError
from immure.introspection.table import Table
from immure.registry.sql_url import is_url
from immure.toml_file import parse_toml, read_bounded

MOST_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_ORIGIN: Final = re.compile(r"https://[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
#: No account of a room has a colon in its name.
_PREFIX: Final = re.compile(r"[a-z0-9-]{1,32}:", re.ASCII)
#: What ``.tenants.NAME`` may name, each a path (the registry and the ledger may be URLs of databases).
_PLACES: Final = ("registry", "ledger")
_PATHS: Final = (
    "records", "vault", "clearances", "policy", "gate_log", "signing", "accepted", "findings", "incidents",
    "room",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log, and what its checkpoints are verified with.

    Attributes:
        name: for people.
        directory: of the log.
        key: a file with its verifier key (as ``immure log`` prints it).
    """

    name: str
    directory: Path
    key: Path | None


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A tenant: where its things are, and who may look. A page whose things are not named is not shown.

    Attributes:
        name: in addresses.
        title: for people.
        roles: of people, by their names as they sign in.
        records: directory of the records of captures (``immure capture``).
        vault: of sealed dumps.
        clearances: directory of clearances (``*.intoto.json``).
        policy: of the gate: whose signatures count under a clearance.
        gate_log: directory of the log of the gate (``immure release``).
        signing: settings of the signing service: when keys are rotated.
        registry: of keys, a path or the URL of a database.
        ledger: of issuances, a path or the URL of a database.
        accepted: acceptances, a file or directory of Parquet.
        findings: of the detection engine: its database of state, or a directory of files of findings.
        incidents: directory of incidents.
        room: of production access.
        logs: to verify.
    """

    name: str
    title: str
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    records: Path | None = None
    vault: Path | None = None
    clearances: Path | None = None
    policy: Path | None = None
    gate_log: Path | None = None
    signing: Path | None = None
    registry: str | None = None
    ledger: str | None = None
    accepted: Path | None = None
    findings: Path | None = None
    incidents: Path | None = None
    room: Path | None = None
    logs: tuple[LogPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomSignIn:
    """Signing in by a hardware key that an access room knows.

    Attributes:
        room: its directory.
        log: directory of its log, if that is elsewhere.
        key: URI of the key that signs its log: that somebody signs in is an entry there.
        page: address of the room's own page, where requests are approved.
    """

    room: Path
    log: Path | None
    key: str
    page: str | None


@dataclass(frozen=True, slots=True)
class IssuerSignIn:
    """Signing in by an issuer (OpenID Connect Core 1.0, authorization code with PKCE, RFC 7636).

    Attributes:
        policy: file of the token policy that its ID tokens must satisfy.
        authorize, token: its two endpoints.
        client: our ``client_id`` there.
        secret: a file with our secret there; None for a public client.
        claim: the name of the person.
        prefix: stands before that name where roles are given: a person of the issuer who is called as an
            account of the room is somebody else.
    """

    policy: Path
    authorize: str
    token: str
    client: str
    secret: Path | None
    claim: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a console.

    Attributes:
        origin: where browsers find it, ``https://HOST``.
        tenants: by name.
        room, issuer: ways to sign in; at least one.
        idle_minutes, most_minutes: after which a session ends that does nothing, and any session.
        poll_seconds: between two looks for news.
        state: directory for what is derived and may be thrown away (roll-ups).
    """

    origin: str
    tenants: Mapping[str, TenantSettings]
    room: RoomSignIn | None = None
    issuer: IssuerSignIn | None = None
    idle_minutes: int = 30
    most_minutes: int = 480
    poll_seconds: int = 2
    state: Path | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Settings:
        """The settings in a file; what it names is beside it, or named from the root.

        Raises:
            UsageError: it cannot be read or understood; names the file and the member.
        """
        name, data = read_bounded(path, MOST_BYTES)
        return cls.parse(data, name)

    @classmethod
    def parse(cls, data: bytes, path: str) -> Settings:
        """The settings that ``data`` holds; raises as :meth:`read`."""
        values = parse_toml(data, path, MOST_BYTES)
        try:
            return _settings(Table(values), Path(path).parent)
        except (InputError, UsageError) as error:
            raise UsageError(error.reason, path=path) from error
        except ImmureError as error:
            raise UsageError(str(error), path=path) from error


def _settings(table: Table, beside: Path) -> Settings:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    sign_in = table.table("sign_in")
    state = table.optional("state")
    made = Settings(
        origin=_origin(table.text("origin")),
        tenants=MappingProxyType({_name(n): _tenant(n, one, beside) for n, one in table.tables("tenants")}),
        room=_room(sign_in.table("room"), beside) if sign_in.has("room") else None,
        issuer=_issuer(sign_in.table("issuer"), beside) if sign_in.has("issuer") else None,
        idle_minutes=sign_in.number("idle_minutes", 30, 1, 1440),
        most_minutes=sign_in.number("most_minutes", 480, 1, 1440),
        poll_seconds=table.number("poll_seconds", 2, 1, 3600),
        state=None if state is None else beside / state,
    )
    sign_in.end()
    table.end()
    if not made.tenants:
        raise UsageError("tenants is empty")
    if made.room is None and made.issuer is None:
        raise UsageError("sign_in needs room or issuer")
    if made.room is not None and made.issuer is not None and not made.issuer.prefix:
        words = "accounts of the room and names of the issuer must be told apart"
        raise UsageError(f"sign_in.issuer.prefix is missing: {words}")
    return made


def _tenant(name: str, table: Table, beside: Path) -> TenantSettings:
    places: dict[str, Any] = {one: _path(table, one, beside) for one in _PATHS}
    places |= {one: _place(table.optional(one), beside) for one in _PLACES}
    made = TenantSettings(
        name=name,
        title=table.text("title", name),
        roles=_roles(table.table("roles")),
        logs=tuple(_log(one, one_table, beside) for one, one_table in table.tables("logs")),
        **places,
    )
    table.end()
    return made


def _roles(table: Table) -> Mapping[str, Role]:
    given: dict[str, Role] = {}
    for role in Role:
        for person in table.texts(role.word):
            if person in given:
                raise UsageError(f"{table.name}: {person[:80]!r} is there twice")
            given[person] = role
    table.end()
    return MappingProxyType(given)


def _log(name: str, table: Table, beside: Path) -> LogPlace:
    made = LogPlace(name, beside / table.text("directory"), _path(table, "key", beside))
    table.end()
    return made


def _room(table: Table, beside: Path) -> RoomSignIn:
    page = table.optional("page")
    made = RoomSignIn(
        beside / table.text("directory"),
        _path(table, "log", beside),
        _uri(table.text("key"), beside),
        None if page is None else _address(page, "sign_in.room.page"),
    )
    table.end()
    return made


def _issuer(table: Table, beside: Path) -> IssuerSignIn:
    made = IssuerSignIn(
        policy=beside / table.text("policy"),
        authorize=_address(table.text("authorize"), "sign_in.issuer.authorize"),
        token=_address(table.text("token"), "sign_in.issuer.token"),
        client=table.text("client"),
        secret=_path(table, "secret", beside),
        claim=table.text("claim", "sub"),
        prefix=_prefix(table.optional("prefix")),
    )
    table.end()
    return made


def _prefix(text: str | None) -> str:
    if text is not None and not _PREFIX.fullmatch(text):
        raise UsageError("sign_in.issuer.prefix is not small letters and digits, and a colon at their end")
    return text or ""


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"tenants.{name[:40]!r} is no name: small letters, digits and -, at most 32")
    return name


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise UsageError("origin is not https://HOST, in small letters")
    return text


def _address(text: str, where: str) -> str:
    """An address that may be linked to, or asked; plain HTTP only on this machine."""
    try:
        parts = urlsplit(text)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        raise UsageError(f"{where} is no address") from None
    if not parts.hostname or "@" in parts.netloc or not text.isascii() or not text.isprintable():
        raise UsageError(f"{where} is no address")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise UsageError(f"{where} is not https")
    return text


def _path(table: Table, name: str, beside: Path) -> Path | None:
    text = table.optional(name)
    return None if text is None else beside / text


def _place(text: str | None, beside: Path) -> str | None:
    return text if text is None or is_url(text) else str(beside / text)


def _uri(text: str, beside: Path) -> str:
    """A key URI; the file of one that names a file is beside the settings."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in ("file", "file+unsafe", "keyholder", "keyholder+unix"):
        return text
    path, mark, query = rest.partition("?")
    return f"{scheme}:{quote(str(beside.resolve() / unquote(path)))}{mark}{query}"
