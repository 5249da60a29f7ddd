"""Opens what is to be audited: key sets, discovery documents, files of keys, registries.

>>> document = b'{"keys": [{"kty": "oct", "k": "AA"}, 7]}'
>>> [entry.problems[0].code for entry in parse_document(document, "jwks.json").entries]
['symmetric', 'malformed']
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

from immure.errors import KeySourceError
from immure.keymaterial.loaded import Fetcher
from immure.keymaterial.sources import load_keys
from immure.registry.audited import Entry, entry_of_jwk, entry_of_key, entry_of_record
from immure.registry.errors import RegistryError
from immure.registry.finding import AuditFinding, finding
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.sql_url import is_url
from immure.registry.store import in_order
from immure.registry.toml_store import read_file
from immure.registry.toml_text import MOST_BYTES, parse_registry

KindOfSet = Literal["jwks", "discovery", "keys", "registry"]
DISCOVERY: Final = "/.well-known/openid-configuration"
#: Keys of the largest set.
MOST_ENTRIES: Final = 10_000
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_SQLITE = b"SQLite format 3\0"


@dataclass
class AuditedSet:
    """The keys of one document or registry.

    Attributes:
        issuer: of a discovery document: whose keys its set holds.
        jwks_uri: of a discovery document: where they are.
        problems: what was found when it was read, beside those of its entries.
    """

    source: str
    kind: KindOfSet
    entries: tuple[Entry, ...] = ()
    issuer: str | None = None
    jwks_uri: str | None = None
    problems: list[AuditFinding] = field(default_factory=list)


def open_audited(
    source: str, *, fetch: Fetcher | None = None, allow_private_hosts: bool = False
) -> AuditedSet:
    """What is at a path or URL.

    A discovery document leads to its key set, which is fetched even if the document is a file.

    Raises:
        InputError: it cannot be read, fetched or understood at all.
    """
    if fetch is None:
        fetch = _Network(source, allow_private_hosts)
    if _SCHEME.match(source):
        return _open_url(source, fetch)
    if is_url(source):
        return _registry_set(source)
    data = _read(source)
    if data is None:
        return AuditedSet(source, "keys", _loaded(source))
    if data.startswith(_SQLITE):
        return _registry_set(source)
    if source.endswith(".toml"):
        return registry_set(in_order(parse_registry(data, source)), source)
    if data.lstrip()[:1] in (b"{", b"["):
        found = parse_document(data, source)
        return found if found.jwks_uri is None else _follow(found, fetch)
    return AuditedSet(source, "keys", _loaded(source))


def registry_set(records: Iterable[KeyRecord], source: str) -> AuditedSet:
    """The keys of a registry."""
    entries = (entry_of_record(record, place, source) for place, record in enumerate(records, 1))
    return AuditedSet(source, "registry", tuple(entries))


def _registry_set(source: str) -> AuditedSet:
    with open_store(source) as store:
        return registry_set(store.records(), store.path)  # not the source: a URL may have a password in it


def parse_document(data: bytes, source: str) -> AuditedSet:
    """A JWK Set, a single JWK, or a discovery document (then without its keys, which are elsewhere).

    Raises:
        RegistryError: it is none of these, or no JSON of one meaning.
    """
    document = _parse_json(data, source)
    if isinstance(document, dict) and isinstance(document.get("keys"), list):
        members = document["keys"]
    elif isinstance(document, list):
        members = document
    elif isinstance(document, dict) and "kty" in document:
        members = [document]
    elif isinstance(document, dict) and isinstance(document.get("jwks_uri"), str):
        issuer = document.get("issuer")
        found = AuditedSet(source, "discovery", jwks_uri=document["jwks_uri"][:2048])
        if isinstance(issuer, str) and 0 < len(issuer) <= 1024:
            found.issuer = issuer
        else:
            found.problems.append(finding("malformed", source, "the discovery document names no issuer"))
        return found
    else:
        raise RegistryError("is neither a key set nor a discovery document", path=source)
    if len(members) > MOST_ENTRIES:
        raise RegistryError(f"holds more than {MOST_ENTRIES} keys", path=source)
    entries = (entry_of_jwk(member, place, source) for place, member in enumerate(members, 1))
    return AuditedSet(source, "jwks", tuple(entries))


def _open_url(source: str, fetch: Fetcher) -> AuditedSet:
    """A document, or the discovery document of an issuer."""
    try:
        found = parse_document(fetch(source), source)
    except (KeySourceError, RegistryError) as error:
        if source.endswith(DISCOVERY):
            raise
        place = source.rstrip("/") + DISCOVERY
        try:
            found = parse_document(fetch(place), place)
        except KeySourceError as second:
            raise KeySourceError(f"{error.reason}; as an issuer: {second.reason}", path=source) from second
    if found.jwks_uri is None:
        return found
    _compare_issuer(found)
    return _follow(found, fetch)


def _compare_issuer(found: AuditedSet) -> None:
    """A discovery document states the name under which it was found (Discovery 1.0, section 4.3)."""
    if not found.source.endswith(DISCOVERY) or found.issuer is None:
        return
    bare = found.source.removesuffix(DISCOVERY)
    if found.issuer.rstrip("/") != bare.rstrip("/") and "{" not in found.issuer:
        words = f"the discovery document of {bare} says its issuer is {found.issuer}"
        found.problems.append(finding("issuer-mismatch", found.source, words))


def _follow(found: AuditedSet, fetch: Fetcher) -> AuditedSet:
    place = found.jwks_uri or ""
    keys = parse_document(fetch(place), place)
    if keys.kind != "jwks":
        raise RegistryError("is not a key set", path=place)
    return AuditedSet(found.source, "discovery", keys.entries, found.issuer, place, found.problems)


class _Network:
    """Fetches; TLS is loaded when something is fetched. Loopback only if the user named it."""

    def __init__(self, source: str, allow_private_hosts: bool) -> None:
        self._source = source
        self._allow_private_hosts = allow_private_hosts

    def __call__(self, url: str) -> bytes:
        from immure.keymaterial.sources_http import HttpsFetcher, is_loopback_url

        loopback = is_loopback_url(self._source)
        fetcher = HttpsFetcher(allow_private_hosts=self._allow_private_hosts, allow_loopback=loopback)
        return fetcher(url)


def _read(path: str) -> bytes | None:
    """The bytes of a file; None of a directory."""
    import os

    if os.path.isdir(path):
        return None
    data = read_file(path)
    if len(data) > MOST_BYTES and not data.startswith(_SQLITE):
        raise RegistryError(f"is longer than {MOST_BYTES >> 20} MiB", path=path)
    return data


def _loaded(path: str) -> tuple[Entry, ...]:
    return tuple(entry_of_key(key, place, key.origin.source) for place, key in enumerate(load_keys(path), 1))


def _parse_json(data: bytes, source: str) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):  # two readers would read two different documents
            raise RegistryError("a JSON object names a member twice", path=source)
        return made

    def refuse(_: str) -> NoReturn:
        raise ValueError

    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=members, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise RegistryError("is not valid JSON", path=source) from None
