"""Where a validator's keys come from: given, in a file, in a registry, at a URL, or found through the issuer.

>>> from immure.tokens.keyset import KeySet
>>> StaticSource(KeySet.from_jwks({"keys": []}, "none")).find("a")
Traceback (most recent call last):
...
immure.tokens.errors.UnknownKeyError: none: has no key 'a'
"""

from immure.tokens.sources.cache import Timing
from immure.tokens.sources.discovery import DiscoverySource
from immure.tokens.sources.fetch import Fetcher, HttpsPages, NotThereError, Page
from immure.tokens.sources.file import FileSource
from immure.tokens.sources.registry import RegistrySource
from immure.tokens.sources.static import StaticSource
from immure.tokens.sources.url import UrlSource

__all__ = [
    "DiscoverySource",
    "Fetcher",
    "FileSource",
    "HttpsPages",
    "NotThereError",
    "Page",
    "RegistrySource",
    "StaticSource",
    "Timing",
    "UrlSource",
]
