"""The table ``[deny_list]`` of a policy file.

    [deny_list]
    name = "https://login.example/deny-list"
    keys = "deny-list.pub"              # JWK, or JWK Set, of who may sign it
    state = "/var/lib/immure/deny-list.jwt"
    url = "https://login.example/deny-list.jwt"
    on_expiry = "refuse"

What may stand there is in docs/reference/deny-list.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from immure.errors import KeySourceError, PolicyError
from immure.keymaterial.sources_http import is_loopback_url, split_url
from immure.tokens.deny_list import MOST_BYTES, pinned_keys
from immure.tokens.deny_list_guard import EVERY, DenyListGuard, OnExpiry
from immure.tokens.deny_list_store import DenyListStore
from immure.tokens.sources.fetch import HttpsPages

_MEMBERS: Final = {
    "name", "keys", "state", "url", "every_seconds", "on_expiry", "ca_file", "private_hosts",
}  # fmt: skip
_MOST_SECONDS: Final = 3600


def guard_of(table: Mapping[str, Any], beside: Path) -> DenyListGuard:
    """The guard that a table asks for; files are beside the policy, or named from the root.

    Raises:
        PolicyError: it says something else.
        KeySourceError: the pinned keys cannot be read.
    """
    unknown = table.keys() - _MEMBERS
    if unknown:
        raise PolicyError(f"deny_list has an unknown member: {min(unknown)[:80]!a}")
    on_expiry: OnExpiry = table.get("on_expiry", "refuse")
    if on_expiry not in get_args(OnExpiry):
        raise PolicyError(f"deny_list.on_expiry is one of {', '.join(get_args(OnExpiry))}")
    every = table.get("every_seconds", EVERY)
    if type(every) not in (int, float) or not 0 < every <= _MOST_SECONDS:
        raise PolicyError(f"deny_list.every_seconds is a number above 0, and at most {_MOST_SECONDS}")
    path = beside / _text(table, "keys")
    store = DenyListStore(
        beside / _text(table, "state"), name=_text(table, "name"), keys=pinned_keys(_content(path), str(path))
    )
    url, fetcher = None, None
    if "url" in table:
        url = _text(table, "url")
        split_url(url, allow_loopback=True)
        fetcher = _fetcher(table, url, beside)
    return DenyListGuard(store, url=url, fetcher=fetcher, every=float(every), on_expiry=on_expiry)


def _fetcher(table: Mapping[str, Any], url: str, beside: Path) -> HttpsPages:
    """The list is signed, so that this machine's own http will do; secrecy it needs none."""
    private = table.get("private_hosts", False)
    if not isinstance(private, bool):
        raise PolicyError("deny_list.private_hosts is neither true nor false")
    return HttpsPages(
        allow_private_hosts=private,
        allow_loopback=is_loopback_url(url),
        ca_file=str(beside / _text(table, "ca_file")) if "ca_file" in table else None,
        max_bytes=MOST_BYTES,
    )


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise PolicyError(f"deny_list.{name} is {'missing' if value is None else 'not a text'}")
    return value


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "not the name of a file"
        raise KeySourceError(f"cannot be read: {words}", path=str(path)) from error
