"""A kit as a TOML file, with its private keys in files beside it.

    version = 1
    target = "enterprise"

    [scopes.enterprise]
    issuer = "https://login.example/tenant"
    audience = "https://mail.example"
    audience_class = "enterprise"

    [keys.enterprise-1]
    file = "keys/enterprise-1.pem"
    alg = "RS256"
    scope = "enterprise"

What may stand there is in docs/reference/probe.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from immure.custody.secret_file import read_secret_file, wipe
from immure.probe.errors import KitError
from immure.probe.kit import NOWHERE, Kit, ProbeKey, Scope
from immure.probe.sign import ALGORITHMS, fits
from immure.toml_file import parse_toml, read_bounded

_MOST_BYTES: Final = 1 << 20
_TOP: Final = {
    "version", "target", "typ", "single_use", "bound", "attacker_url", "claims", "scopes", "keys",
}  # fmt: skip
_SCOPE: Final = {"issuer", "audience", "audience_class", "tenant", "cloud"}
_KEY: Final = {"file", "alg", "scope", "kid", "published", "use", "not_before", "not_after", "cloud"}


def read_kit(path: str | os.PathLike[str]) -> Kit:
    """The kit in a file; files of keys that it names are beside it, or named from the root.

    Raises:
        KitError: it cannot be read or understood.
        SignerError: a file of a private key cannot be read, or others may read it.
    """
    name, data = read_bounded(path, _MOST_BYTES, KitError)
    table = parse_toml(data, name, _MOST_BYTES, KitError)
    try:
        return _kit(table, Path(name).parent)
    except KitError as error:
        raise KitError(error.reason, path=error.path or name) from error


def _kit(table: Mapping[str, Any], beside: Path) -> Kit:
    _known(table, _TOP, "the kit")
    if type(table.get("version")) is not int or table["version"] != 1:
        raise KitError("version is not 1")
    scopes = {name: _scope(name, _table(one, name)) for name, one in _named(table, "scopes")}
    target = scopes.get(_text(table, "target"))
    if target is None:
        raise KitError("target is none of the scopes")
    keys = [_key(name, _table(one, name), scopes, beside) for name, one in _named(table, "keys")]
    by_kid = {key.kid: key for key in keys}
    if len(by_kid) != len(keys):
        raise KitError("two keys have the same kid")
    typ = _text(table, "typ") if "typ" in table else "JWT"
    return Kit(
        target,
        scopes,
        by_kid,
        claims=_claims(table.get("claims", {})),
        typ=typ if typ != "none" else None,
        single_use=_flag(table, "single_use", False),
        bound=_flag(table, "bound", False),
        attacker_url=_text(table, "attacker_url") if "attacker_url" in table else NOWHERE,
    )


def _scope(name: str, table: Mapping[str, Any]) -> Scope:
    _known(table, _SCOPE, f"the scope {name[:40]!a}")
    return Scope(
        name,
        _text(table, "issuer"),
        _text(table, "audience"),
        _text(table, "audience_class"),
        _text(table, "tenant") if "tenant" in table else None,
        _text(table, "cloud") if "cloud" in table else None,
    )


def _key(name: str, table: Mapping[str, Any], scopes: Mapping[str, Scope], beside: Path) -> ProbeKey:
    _known(table, _KEY, f"the key {name[:40]!a}")
    scope = scopes.get(_text(table, "scope")) if "scope" in table else None
    if scope is None and "scope" in table:
        raise KitError(f"the key {name[:40]!a} names a scope that is not there")
    alg = _text(table, "alg")
    if alg not in ALGORITHMS:
        raise KitError(f"the key {name[:40]!a} has an algorithm that is none of {', '.join(ALGORITHMS)}")
    private = _private(beside / _text(table, "file"))
    if not fits(private, alg):
        raise KitError(f"the key {name[:40]!a} cannot sign by {alg}")
    return ProbeKey(
        kid=_text(table, "kid") if "kid" in table else name,
        alg=alg,
        private=private,
        scope=scope,
        published=_flag(table, "published", True),
        use=_text(table, "use") if "use" in table else "sig",
        not_before=_moment(table, "not_before"),
        not_after=_moment(table, "not_after"),
        cloud=_text(table, "cloud") if "cloud" in table else (scope.cloud if scope else None),
    )


def _claims(value: Any) -> Mapping[str, Any]:
    claims = _table(value, "claims")
    try:
        json.dumps(claims, allow_nan=False)
    except (TypeError, ValueError):
        raise KitError("claims has a value that JSON has not, such as a date") from None
    return claims


def _private(path: Path) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = read_secret_file(str(path))
    try:
        # a broken key of one's own does no harm: its good token is not let in, and the probe says so
        return load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KitError("is no private key as PEM without a password", path=str(path)) from None
    finally:
        wipe(data)


def _known(table: Mapping[str, Any], names: set[str], what: str) -> None:
    unknown = table.keys() - names
    if unknown:
        raise KitError(f"{what} has an unknown member: {min(unknown)[:80]!a}")


def _named(table: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    found = _table(table.get(name, {}), name)
    if not found:
        raise KitError(f"the kit has no {name}")
    return list(found.items())


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise KitError(f"{name[:40]!a} is not a table")
    return value


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise KitError(f"{name} is not a text")
    return value


def _flag(table: Mapping[str, Any], name: str, default: bool) -> bool:
    value = table.get(name, default)
    if not isinstance(value, bool):
        raise KitError(f"{name} is neither true nor false")
    return value


def _moment(table: Mapping[str, Any], name: str) -> int | None:
    value = table.get(name)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise KitError(f"{name} is not a time such as 2021-04-04T00:00:00Z")
    return int(value.timestamp())
