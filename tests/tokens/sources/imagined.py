"""A fetcher that imagines its documents, a clock turned by hand, threads that run when they are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.errors import KeySourceError
from immure.keymaterial.key import b64url
from immure.tokens.sources import Fetcher, NotThereError, Page

URL = "https://keys.example/set"
ISSUER = "https://issuer.example/tenant"


@cache
def jwk(kid: str) -> dict[str, Any]:
    public = Ed25519PrivateKey.generate().public_key()
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64url(public.public_bytes_raw())}


def jwks(*kids: str) -> bytes:
    return json.dumps({"keys": [jwk(kid) for kid in kids]}).encode()


def discovery(issuer: str = ISSUER, jwks_uri: str = "https://issuer.example/set") -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": jwks_uri}).encode()


@dataclass
class Imagined(Fetcher):
    """Answers from ``pages``; an exception among them is raised, what is not there is not there."""

    pages: dict[str, bytes | Page | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> Page:
        self.asked.append(url)
        page = self.pages.get(url, NotThereError("HTTP status 404", path=url))
        if isinstance(page, Exception):
            raise page
        return page if isinstance(page, Page) else Page(page)

    def fail(self, url: str = URL) -> None:
        self.pages[url] = KeySourceError("HTTP status 503", path=url)


@dataclass
class Ticks:
    """Seconds that pass when we say so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Jobs:
    """Fetches that were started and go on when we say so; at once if ``at_once``."""

    at_once: bool = True
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, job: Callable[[], None]) -> None:
        if self.at_once:
            job()
        else:
            self.waiting.append(job)

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()
