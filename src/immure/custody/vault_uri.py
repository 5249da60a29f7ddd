"""``vault:`` key URIs: a key of a transit engine (HashiCorp Vault, OpenBao), and how it is reached.

>>> uri = parse_vault_uri("vault:transit/release?address=https://vault.example:8200&token-source=/run/token")
>>> uri.mount, uri.key, uri.token_source
('transit', 'release', '/run/token')

A URI never holds a token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from immure.custody.pin import unquoted
from immure.custody.signer import shown
from immure.errors import KeySourceError, SignerError
from immure.keymaterial.sources_http import is_loopback_url, split_url

_MOST_CHARS: Final = 4096
_OPTIONS: Final = ("address", "token-source", "ca", "namespace", "version", "alg")
#: Names that may stand in a path of the API as they are.
_NAME: Final = re.compile(r"(?!\.+(?:/|$))[A-Za-z0-9_.-]{1,128}")
_PLACE: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}(?:/[A-Za-z0-9_.-]{1,128}){0,7}/?")


@dataclass(frozen=True, slots=True)
class VaultUri:
    """What a ``vault:`` URI says.

    Attributes:
        mount: where the transit engine is.
        key: name of the key; empty if the URI names a whole engine.
        address: URL of the server.
        token_source: file with the token; None if an agent on this machine adds it.
        ca: file of certificates that the server's may come from, instead of the system's.
        namespace: of Vault Enterprise.
        version: of the key; None for the newest.
        algorithm: how to sign, if not by default.
    """

    mount: str
    key: str
    address: str
    token_source: str | None = None
    ca: str | None = None
    namespace: str | None = None
    version: int | None = None
    algorithm: str | None = None


def parse_vault_uri(uri: str, *, names_key: bool = True) -> VaultUri:
    """The parts of ``vault:MOUNT/KEY?address=URL&token-source=FILE``, and ``ca``, ``namespace``, ``version``,
    ``alg``.

    Args:
        names_key: whether the last part of the path is a key; otherwise all of it is the mount.

    Raises:
        SignerError: it is malformed, or has an option that is unknown or given twice.
    """
    if len(uri) > _MOST_CHARS:
        raise SignerError(f"is longer than {_MOST_CHARS} characters", path="vault:…")
    path, _, query = uri.partition(":")[2].partition("?")
    options = _options(uri, query)
    mount, _, key = path.rpartition("/") if names_key else (path.strip("/"), "", "")
    if not _is_place(mount) or (names_key and not _NAME.fullmatch(key)):
        _refuse(uri, f"is not of the form vault:{'MOUNT/KEY' if names_key else 'MOUNT'}?address=URL")
    namespace, version = options.get("namespace"), options.get("version")
    if namespace is not None and not _PLACE.fullmatch(namespace):
        _refuse(uri, "namespace is no name of a namespace")
    if version is not None and not re.fullmatch("[1-9][0-9]{0,8}", version):
        _refuse(uri, "version is not a number from 1 on")
    address, source = _address(uri, options.get("address")), options.get("token-source")
    if source is None and not is_loopback_url(address):
        _refuse(uri, "needs token-source=FILE (only an agent on this machine can do without)")
    return VaultUri(
        mount,
        key,
        address,
        source,
        options.get("ca"),
        namespace,
        None if version is None else int(version),
        options.get("alg"),
    )


def is_key_name(name: str) -> bool:
    """Whether a key may have this name."""
    return _NAME.fullmatch(name) is not None


def _is_place(text: str) -> bool:
    return _PLACE.fullmatch(text) is not None and all(_NAME.fullmatch(part) for part in text.split("/"))


def _options(uri: str, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name not in _OPTIONS or not equals or not value:
            _refuse(uri, f"options of a vault: URI are {'=, '.join(_OPTIONS)}=")
        if name in found:
            _refuse(uri, f"{name} is given twice")
        found[name] = unquoted(value)
    return found


def _address(uri: str, url: str | None) -> str:
    if url is None:
        _refuse(uri, "needs address=URL")
    try:
        parts = split_url(url, allow_loopback=True)
    except KeySourceError as error:
        _refuse(uri, f"address: {error.reason}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        _refuse(uri, "address is scheme, host and port of the server, and nothing else")
    return url.rstrip("/")


def _refuse(uri: str, reason: str) -> NoReturn:
    raise SignerError(reason, path=shown(uri))
