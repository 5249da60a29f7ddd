"""Feeds broken key sets, discovery documents and Cache-Control headers to the sources of keys for tokens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from driver import run

from immure.errors import KeySourceError
from immure.tokens.errors import TokenError
from immure.tokens.sources import DiscoverySource, Fetcher, NotThereError, Page, UrlSource
from immure.tokens.sources.fetch import freshness

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keymaterial import formats, keys

ISSUER = "https://issuer.example/tenant"
TEMPLATE = "https://issuer.example/{tenantid}"
WELL_KNOWN = "/.well-known/"
SET = "https://issuer.example/set"
GOOD = json.dumps({"issuer": ISSUER, "jwks_uri": SET}).encode()
KIDS = ("same", "other", None, "", "\ud800", "unknown")


class Pages(Fetcher):
    def __init__(self, document: bytes, key_set: bytes) -> None:
        self.document, self.key_set = document, key_set
        self.asked: list[str] = []

    def fetch(self, url: str) -> Page:
        self.asked.append(url)
        assert url.startswith("https://"), url
        assert url.isprintable(), url
        assert url.split("/")[2].lower().partition(":")[0] == "issuer.example", url
        if WELL_KNOWN in url and not self.document:
            raise NotThereError("HTTP status 404", path=url)
        page = self.document if WELL_KNOWN in url else self.key_set
        return Page(page, freshness(page[:200].decode("latin-1")))


def check_sources(data: bytes) -> None:
    """Once as a document, once as the key set of a good one, once as a key set by its URL."""
    for document, key_set in ((data, data), (GOOD, data)):
        for name, at in ((ISSUER, None), (TEMPLATE, ISSUER)):
            pages = Pages(document, key_set)
            _find_all(DiscoverySource(name, at=at, fetcher=pages, start=lambda job: job()))
            assert len(pages.asked) <= 4, pages.asked
    _find_all(UrlSource(SET, fetcher=Pages(GOOD, data), start=lambda job: job()))
    age = freshness(data.decode("latin-1"), data.decode("latin-1"))
    assert age is None or 0 <= age < 1e10, age


def _find_all(source: UrlSource | DiscoverySource) -> None:
    for kid in KIDS:
        try:
            found = source.find(kid)
        except (TokenError, KeySourceError):
            continue
        assert found.kid == kid or kid is None
    assert source.fetches == 1


if __name__ == "__main__":
    members = [
        formats.jwk(keys.key(kind), private=False, kid=kid, issuer=ISSUER)
        for kid, kind in (("same", "P-256"), ("other", "RSA-2048"), ("third", "Ed25519"))
    ]
    run(
        check_sources,
        [
            GOOD,
            json.dumps({"issuer": TEMPLATE, "jwks_uri": SET}).encode(),
            json.dumps({"keys": members}).encode(),
            json.dumps({"keys": members[:1]}).encode(),
            json.dumps(members[2]).encode(),
            b'public, max-age=3600, s-maxage="5", no-cache',
        ],
    )
