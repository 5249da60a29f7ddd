"""Keys of an issuer, found through its discovery document.

>>> well_known("https://login.example/tenant/")[0]
'https://login.example/tenant/.well-known/openid-configuration'
>>> well_known("https://login.example/tenant/")[1]
'https://login.example/.well-known/oauth-authorization-server/tenant'

The document must state exactly the issuer that it was asked for (OpenID Connect Discovery 1.0, section 4.3;
RFC 8414, section 3.3), or else whoever can write to one path of a host could speak for others of its paths.
Where it may send us for the keys is bounded to hosts that are known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from immure.errors import KeySourceError
from immure.keymaterial.sources_http import split_url
from immure.registry.scope import TENANT, KeyScope
from immure.tokens.keyset import KeySet
from immure.tokens.sources.addresses import plain_url
from immure.tokens.sources.documents import Discovered, discovered, key_set
from immure.tokens.sources.fetch import NotThereError, Page
from immure.tokens.sources.remote import RemoteSource

_OPENID: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"
_PORTS: Final = {"https": 443, "http": 80}


def well_known(issuer: str) -> tuple[str, ...]:
    """Where the discovery document of an issuer may be, likeliest first.

    Appended (OpenID Connect Discovery 1.0, section 4); between host and path (RFC 8414, section 3.1); and the
    name of the first in the place of the second, as some do (RFC 8414, section 5).
    """
    parts = urlsplit(issuer)
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = (f"{base}{path}{_OPENID}", f"{base}{_OAUTH}{path}", f"{base}{_OPENID}{path}")
    return tuple(dict.fromkeys(places))


class DiscoverySource(RemoteSource):
    """The keys of an issuer that publishes a discovery document.

    Args:
        issuer: exactly as its tokens and its document name it; ``{tenantid}`` in it stands for the id of any
            tenant, as Entra has it.
        at: where to look, if not at the issuer: needed for a template, such as
            ``https://login.microsoftonline.com/common/v2.0``. The document there may also state a template
            that fits the issuer.
        jwks_hosts: hosts (``name`` or ``name:port``) beside the document's own on which the keys may be.
        options: those of :class:`~immure.tokens.sources.remote.RemoteSource`.

    Raises:
        KeySourceError: nothing would ever be fetched from there, or it is a template without ``at``.
    """

    learns_address = True

    def __init__(
        self, issuer: str, *, at: str | None = None, jwks_hosts: Iterable[str] = (), **options: Any
    ) -> None:
        if at is None and TENANT in issuer:
            raise KeySourceError("is a template: say where its document is", path=issuer)
        base = split_url(at or issuer, allow_loopback=True)
        if base.query or base.fragment:
            raise KeySourceError("an issuer has no query and no fragment", path=at or issuer)
        super().__init__(issuer, **options)
        self._elsewhere = at is not None
        self._places = well_known(at or issuer)
        self._hosts = {_place(at or issuer), *(_host(host) for host in jwks_hosts)}
        self._address: str | None = None

    @property
    def address(self) -> str:
        """See :attr:`KeySource.address`; that of the keys is known once the document was seen."""
        return self._address or super().address

    def _load(self) -> tuple[KeySet, float | None]:
        place, document = self._document()
        found = self._checked(discovered(document.data, place), place)
        self._address = plain_url(found.jwks_uri)
        keys = self._fetcher.fetch(found.jwks_uri)
        ages = [page.max_age for page in (document, keys) if page.max_age is not None]
        return key_set(keys.data, found.jwks_uri, self._issuer_of_keys(found)), min(ages, default=None)

    def _document(self) -> tuple[str, Page]:
        """The document, from the first place that has one; that place is asked first from then on."""
        missing: NotThereError | None = None
        for place in self._places:
            try:
                page = self._fetcher.fetch(place)
            except NotThereError as error:
                missing = missing or error
                continue
            self._places = (place, *(one for one in self._places if one != place))
            return place, page
        raise missing or KeySourceError("has no discovery document", path=self.name)

    def _checked(self, found: Discovered, place: str) -> Discovered:
        if found.issuer != self.name and not self._fits(found.issuer):
            stated, asked = ascii(found.issuer[:200]), ascii(self.name)
            raise KeySourceError(
                f"the discovery document says its issuer is {stated}, not {asked}", path=place
            )
        if _place(found.jwks_uri) not in self._hosts:
            where = ascii(urlsplit(found.jwks_uri).netloc[:200])
            raise KeySourceError(f"its keys are at a host that was not allowed: {where}", path=place)
        return found

    def _fits(self, stated: str) -> bool:
        """Whether the document states a template for all tenants, ours among them, and we looked for that."""
        return self._elsewhere and TENANT in stated and KeyScope(stated).allows_issuer(self.name)

    def _issuer_of_keys(self, found: Discovered) -> str | None:
        """What keys may sign for that do not say it: nothing, if the set is that of many tenants."""
        return None if TENANT in found.issuer else found.issuer


def _host(name: str) -> tuple[str, str, int]:
    if "/" in name:
        raise KeySourceError("is not a host name", path=ascii(name))
    return _place(f"https://{name}")


def _place(url: str) -> tuple[str, str, int]:
    """Scheme, host and port.

    Raises:
        KeySourceError: it is not a URL that may be fetched.
    """
    parts = split_url(url, allow_loopback=True)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]
