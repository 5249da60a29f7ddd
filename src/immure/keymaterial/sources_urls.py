"""URLs as sources of public keys: a document of keys, or an issuer (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from urllib.parse import urlsplit

from immure.errors import KeySourceError
from immure.keymaterial.loaded import Collector, Fetcher, LoadedKeys
from immure.keymaterial.sources_files import parse_keys
from immure.keymaterial.sources_http import HttpsFetcher, is_loopback_url, split_url
from immure.keymaterial.sources_jwks import collect_json, parse_json

DISCOVERY = "/.well-known/openid-configuration"


def load_url(url: str, *, fetch: Fetcher | None = None, allow_private_hosts: bool = False) -> LoadedKeys:
    """The keys at a URL: of the document itself if it holds keys, else of the issuer of that name.

    Raises:
        KeySourceError: neither can be fetched, or the discovery document is not that issuer's.
        KeyFormatError: what is there should be a key and is not.
    """
    loopback = is_loopback_url(url)
    if fetch is None:
        fetch = HttpsFetcher(allow_private_hosts=allow_private_hosts, allow_loopback=loopback)
    split_url(url, allow_loopback=True)
    if urlsplit(url).path.endswith(DISCOVERY):
        return _load_issuer(url.removesuffix(DISCOVERY), fetch, loopback)
    try:
        return parse_keys(fetch(url), url)
    except KeySourceError as direct:
        try:
            return _load_issuer(url, fetch, loopback)
        except KeySourceError as discovery:
            same = direct.reason == discovery.reason
            reason = (
                f"{direct.reason}, also as an issuer"
                if same
                else f"{direct.reason}; as an issuer: {discovery.reason}"
            )
            raise KeySourceError(reason, path=url) from discovery


def _load_issuer(name: str, fetch: Fetcher, loopback: bool) -> LoadedKeys:
    """The keys of an issuer, whose document must state its name exactly (Discovery, section 4.3); but for a
    slash at the end, which people leave out or add, and which leads to the same document."""
    bare = name.rstrip("/")
    place = bare + DISCOVERY
    document = parse_json(fetch(place), place)
    if not isinstance(document, dict):
        raise KeySourceError("is not a discovery document", path=place)
    issuer, keys_at = document.get("issuer"), document.get("jwks_uri")
    if not isinstance(issuer, str) or issuer.rstrip("/") != bare:
        stated = repr(issuer[:200]) if isinstance(issuer, str) else "nothing"
        # Entra's "common" states a template: its keys are no less there, and each names its own issuer
        at = f"; its key set is {keys_at[:200]!r}" if isinstance(keys_at, str) else ""
        raise KeySourceError(
            f"the discovery document says its issuer is {stated}, not {bare!r}{at}", path=place
        )
    if not isinstance(keys_at, str):
        raise KeySourceError("the discovery document has no jwks_uri", path=place)
    split_url(keys_at, allow_loopback=loopback)
    into = Collector(keys_at)
    collect_json(parse_json(fetch(keys_at), keys_at), into, issuer)
    return into.result()
