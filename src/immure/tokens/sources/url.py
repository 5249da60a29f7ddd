"""Keys at the URL of a JWK Set."""

from __future__ import annotations

from typing import Any

from immure.keymaterial.sources_http import split_url
from immure.tokens.keyset import KeySet
from immure.tokens.sources.addresses import plain_url
from immure.tokens.sources.documents import key_set
from immure.tokens.sources.remote import RemoteSource


class UrlSource(RemoteSource):
    """The keys at the URL of a JWK Set.

    Args:
        url: where it is; https, or http of this machine if the fetcher allows that.
        issuer: what keys may sign for that do not say it themselves; without it they may sign for nothing.
        options: those of :class:`~immure.tokens.sources.remote.RemoteSource`.

    Raises:
        KeySourceError: nothing would ever be fetched from such a URL.
    """

    def __init__(self, url: str, *, issuer: str | None = None, **options: Any) -> None:
        split_url(url, allow_loopback=True)
        super().__init__(url, **options)
        self._issuer = issuer
        self._address = plain_url(url)

    @property
    def address(self) -> str:
        """See :attr:`KeySource.address`."""
        return self._address

    def _load(self) -> tuple[KeySet, float | None]:
        page = self._fetcher.fetch(self.name)
        return key_set(page.data, self.name, self._issuer), page.max_age
