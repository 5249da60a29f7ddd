"""A policy as a TOML file: strict, so that a misspelt word is an error and not a rule that nobody asks.

    version = 1

    [sources.login]
    url = "https://login.example/keys"        # or file =, or discovery =

    [issuers."https://login.example/"]
    source = "login"
    audience_class = "enterprise"
    algorithms = ["RS256"]

    [audiences]
    "https://mail.example" = ["enterprise"]

What may stand there is in docs/reference/token-policy.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from immure.errors import InputError, PolicyError
from immure.keymaterial.sources_http import split_url
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.sources import DiscoverySource, FileSource, HttpsPages, UrlSource
from immure.toml_file import parse_toml, read_bounded

#: Bytes of the longest policy.
MOST_BYTES: Final = 1 << 20
_TOP: Final = {
    "version", "sources", "issuers", "audiences", "token_type", "max_age_seconds", "skew_seconds", "require",
    "values", "whole_seconds", "confirmation", "audience_claim", "deny_list",
}  # fmt: skip
_RULE: Final = {
    "source", "audience_class", "algorithms", "tenants", "separate_tenants", "clouds", "exact_keys",
}  # fmt: skip
_SOURCES: Final = ("file", "url", "discovery")
_FETCHED: Final = ("ca_file", "token_file", "private_hosts")
_MORE: Final = {"file": (), "url": _FETCHED, "discovery": (*_FETCHED, "at", "jwks_hosts")}


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in a file. Files of keys that it names are beside it, or named from the root.

    Raises:
        PolicyError: it cannot be read or understood, or a source in it cannot.
    """
    name, data = read_bounded(path, MOST_BYTES, PolicyError)
    return parse_policy(data, name)


def parse_policy(data: bytes, path: str) -> Policy:
    """The policy that ``data`` holds; raises as :func:`read_policy`."""
    table = parse_toml(data, path, MOST_BYTES, PolicyError)
    try:
        return _policy(table, Path(path).parent)
    except InputError as error:
        raise PolicyError(str(error), path=path) from error
    except PolicyError as error:
        raise PolicyError(error.reason, path=path) from error


def _policy(table: dict[str, Any], beside: Path) -> Policy:
    _known(table, _TOP, "the policy")
    if type(table.get("version")) is not int or table["version"] != 1:
        raise PolicyError("version is not 1")
    rules = _table(table, "issuers")
    issuers_of: dict[str, set[str]] = {}
    for issuer, one in rules.items():
        issuers_of.setdefault(str(_mapping(one, issuer).get("source")), set()).add(issuer)
    sources = {
        name: _source(_mapping(one, name), issuers_of.get(name, set()), beside)
        for name, one in _table(table, "sources").items()
    }
    arguments: dict[str, Any] = {
        "issuers": {issuer: _rule(_mapping(one, issuer), issuer, sources) for issuer, one in rules.items()},
        "audiences": {name: _texts(one, name) for name, one in _table(table, "audiences").items()},
    }
    for name in ("token_type", "confirmation", "audience_claim"):
        if name in table:
            arguments[name] = _text(table[name], name)
    if "max_age_seconds" in table:
        arguments["max_age"] = _seconds(table["max_age_seconds"], "max_age_seconds")
    if "skew_seconds" in table:
        arguments["skew"] = _seconds(table["skew_seconds"], "skew_seconds")
    if "require" in table:
        arguments["require"] = _texts(table["require"], "require")
    if "whole_seconds" in table:
        arguments["whole_seconds"] = _flag(table["whole_seconds"], "whole_seconds")
    if "values" in table:
        arguments["values"] = {name: _values(one, name) for name, one in _table(table, "values").items()}
    if "deny_list" in table:
        from immure.tokens.deny_list_settings import guard_of

        arguments["deny_list"] = guard_of(_table(table, "deny_list"), beside)
    return Policy(**arguments)


def _source(table: Mapping[str, Any], issuers: set[str], beside: Path) -> KeySource:
    """A source that one issuer has may hold keys that do not say for whom they are: then they are for it."""
    kinds = [kind for kind in _SOURCES if kind in table]
    if len(kinds) != 1:
        raise PolicyError(f"a source has one of {', '.join(_SOURCES)}")
    issuer = min(issuers) if len(issuers) == 1 else None
    _known(table, {kinds[0], *_MORE[kinds[0]]}, "a source")
    where = _text(table[kinds[0]], kinds[0])
    if kinds[0] == "file":
        return FileSource(beside / where, issuer=issuer)
    at = _text(table["at"], "at") if "at" in table else None
    fetcher = _fetcher(table, at or where, beside)
    if kinds[0] == "url":
        return UrlSource(where, issuer=issuer, fetcher=fetcher)
    hosts = _texts(table.get("jwks_hosts", []), "jwks_hosts")
    return DiscoverySource(where, at=at, jwks_hosts=hosts, fetcher=fetcher)


def _fetcher(table: Mapping[str, Any], url: str, beside: Path) -> HttpsPages:
    """How documents are got; a token goes to the host that the source names, and no other."""
    ca_file, token_file = (
        str(beside / _text(table[name], name)) if name in table else None
        for name in ("ca_file", "token_file")
    )
    return HttpsPages(
        allow_private_hosts=_flag(table.get("private_hosts", False), "private_hosts"),
        ca_file=ca_file,
        token_file=token_file,
        token_host=split_url(url, allow_loopback=True).netloc if token_file else None,
    )


def _rule(table: Mapping[str, Any], issuer: str, sources: Mapping[str, KeySource]) -> IssuerRule:
    _known(table, _RULE, ascii(issuer))
    source = sources.get(_text(table.get("source"), "source"))
    if source is None:
        raise PolicyError(f"{issuer!a} names a source that is not there")
    return IssuerRule(
        source,
        _text(table.get("audience_class"), "audience_class"),
        exact_keys=_flag(table.get("exact_keys", False), "exact_keys"),
        **{
            name: _texts(table.get(name, []), name)
            for name in ("algorithms", "tenants", "separate_tenants", "clouds")
        },
    )


def _known(table: Mapping[str, Any], names: set[str], what: str) -> None:
    unknown = table.keys() - names
    if unknown:
        raise PolicyError(f"{what} has an unknown member: {min(unknown)[:80]!a}")


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _mapping(table.get(name, {}), name)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{name[:80]!a} is not a table")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise PolicyError(f"{name} is not a text")
    return value


def _texts(value: Any, name: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise PolicyError(f"{name[:80]!a} is not a list of texts")
    return frozenset(value)


def _values(value: Any, name: str) -> frozenset[Any]:
    if not isinstance(value, list) or not value or not all(type(one) in (str, int, bool) for one in value):
        raise PolicyError(f"{name[:80]!a} is not a list of texts, whole numbers or truth values")
    return frozenset(value)


def _seconds(value: Any, name: str) -> timedelta:
    if type(value) is not int or not 0 <= value <= 10**9:
        raise PolicyError(f"{name} is not a number of seconds")
    return timedelta(seconds=value)


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise PolicyError(f"{name} is neither true nor false")
    return value
