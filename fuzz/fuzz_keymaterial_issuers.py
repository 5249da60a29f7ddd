"""Feeds broken discovery documents, and broken key sets, to immure.keymaterial.sources_urls."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from driver import run

from immure.errors import KeySourceError
from immure.keymaterial.sources import load_keys
from immure.keymaterial.sources_urls import DISCOVERY

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keymaterial import formats, keys

ISSUER = "https://issuer.example/tenant"
PLACE = "https://keys.example/set"
GOOD = json.dumps({"issuer": ISSUER, "jwks_uri": PLACE}).encode()


def check_issuer(data: bytes) -> None:
    """Once as the issuer's document, once as the key set of a good one; only what may be is fetched."""
    for pages in ({DISCOVERY: data}, {DISCOVERY: GOOD, PLACE: data}):
        _load(pages)


def _load(pages: dict[str, bytes]) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        assert url.lower().startswith("https://"), url
        assert url.isprintable(), url
        page = pages.get(DISCOVERY if url.endswith(DISCOVERY) else url, pages.get(PLACE))
        if page is None or url == ISSUER:
            raise KeySourceError("HTTP status 404", path=url)
        return page

    try:
        loaded = load_keys(ISSUER, fetch=fetch)
    finally:
        assert len(fetched) <= 3, fetched
    for key in loaded:
        assert key.origin.source == fetched[-1]
        assert key.origin.issuer


if __name__ == "__main__":
    members = [formats.jwk(keys.key(kind), private=False, kid="same") for kind in keys.KINDS]
    seeds = [
        json.dumps({"issuer": ISSUER, "jwks_uri": f"https://{host}/set"})
        for host in ("keys.example", "127.0.0.1")
    ]
    run(check_issuer, [*(seed.encode() for seed in seeds), GOOD, json.dumps({"keys": members}).encode()])
