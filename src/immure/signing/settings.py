"""What the signing service is told: its issuers, who may ask, and for which audiences.

:mod:`immure.signing.settings_file` reads them from a file. An issuer has its own keys, key set and discovery
document; nothing is ever pooled. A client belongs to one issuer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from immure.errors import UsageError
from immure.introspection.settings import Listen
from immure.registry.scope import KeyScope
from immure.signing.rotation import Plan
from immure.tokens.source import KeySource

CLIENT_CREDENTIALS: Final = "client_credentials"
AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS: Final = (CLIENT_CREDENTIALS, AUTHORIZATION_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE, JWT_BEARER)
Bound = Literal["none", "dpop", "mtls"]
_ADDRESS: Final = re.compile(r"[\x21-\x7e]{1,2000}")
#: What our validators, and Entra's, take for a tenant.
_TENANT: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Audience:
    """Who takes tokens.

    Attributes:
        audience_class: an issuer whose keys may not sign for this class gives no token for it.
        scopes: what can be asked for there.
    """

    audience_class: str
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Client:
    """Who asks for tokens.

    Attributes:
        issuer: name of the issuer that it belongs to.
        grants: how it may ask.
        audiences: for whom; the first one is meant if it names none.
        scopes: the most that it gets.
        secrets: SHA-256 of each secret that it may have.
        keys: its own, for signed assertions (RFC 7523).
        certificates: SHA-256 thumbprints of its TLS certificates (RFC 8705).
        anonymous: always false here: such a client is ``public``.
        public: it has nothing to prove who it is with; then it needs PKCE, and gets no client credentials.
        serves: audiences that the client itself is: tokens for these it may exchange, beside its own.
        redirect_uris: where a browser may be sent back to, compared exactly.
        logout_uris: where it may be sent after signing out, compared exactly.
        tenant: of the tokens that it gets for itself.
        bound: its tokens are bound to a key of its own.
    """

    issuer: str
    grants: frozenset[str]
    audiences: tuple[str, ...]
    scopes: frozenset[str] = frozenset()
    secrets: tuple[bytes, ...] = ()
    keys: KeySource | None = None
    certificates: frozenset[str] = frozenset()
    anonymous: bool = False
    public: bool = False
    serves: frozenset[str] = frozenset()
    redirect_uris: tuple[str, ...] = ()
    logout_uris: tuple[str, ...] = ()
    tenant: str = ""
    bound: Bound = "none"


@dataclass(frozen=True)
class Trusted:
    """Another issuer whose assertions are taken for a token (RFC 7523, section 2.1).

    Attributes:
        source: of its keys.
        subjects: whose assertions are taken; none means any.
        tenant: of the tokens that are given for them.
    """

    source: KeySource
    subjects: frozenset[str] = frozenset()
    tenant: str = ""


@dataclass(frozen=True)
class Issuer:
    """One issuer.

    Attributes:
        url: its ``iss``; endpoints are below it.
        plan: of its keys, with the scope of these.
        access_seconds, id_seconds: how long tokens live.
        code_seconds, refresh_seconds: how long codes may wait, and how long a sign-in lasts.
        exchange_from: names of issuers whose tokens may be exchanged here (RFC 8693); its own always may.
            Their audience classes are all its own, too: nothing of a consumer becomes an enterprise token.
        trusted: other issuers by their ``iss``.
    """

    url: str
    plan: Plan
    access_seconds: int = 3600
    id_seconds: int = 3600
    code_seconds: int = 60
    refresh_seconds: int = 30 * 86400
    exchange_from: frozenset[str] = frozenset()
    trusted: Mapping[str, Trusted] = field(default_factory=dict)

    @property
    def scope(self) -> KeyScope:
        """What its keys may sign for."""
        return self.plan.scope

    @property
    def path(self) -> str:
        """Of its URL, without a slash at the end."""
        return urlsplit(self.url).path.rstrip("/")


@dataclass(frozen=True)
class Settings:
    """All of it.

    Attributes:
        issuers, audiences, clients: by name.
        registry: of public keys and their states.
        ledger: place of the issuance ledger; ``ledger_log`` the directory of its log.
        state: place of what must be remembered: codes, refresh tokens, what was revoked.
        custody: URI of the private keys.
        log_key: URI of the key that signs the ledger's log; None if another process closes batches.
        witnesses: who is asked to sign that log after each batch: lines of a key and a URL.
        witness_quorum: how many of them must have signed; None means all.
        listen: where the service is.
        certificate_header: header in which a proxy on this machine hands on the client's TLS certificate.
        users: file of those who may sign in (:mod:`immure.signing.users`); None if nobody may.
        metrics: whether ``/metrics`` answers.
        custody_seconds: in which a signature must be there.

    Raises:
        UsageError: they contradict one another.
    """

    issuers: Mapping[str, Issuer]
    audiences: Mapping[str, Audience]
    clients: Mapping[str, Client]
    registry: str
    ledger: str
    state: str
    custody: str
    ledger_log: Path | None = None
    log_key: str | None = None
    witnesses: tuple[str, ...] = ()
    witness_quorum: int | None = None
    listen: Listen = field(default_factory=Listen)
    certificate_header: str | None = None
    users: Path | None = None
    metrics: bool = True
    custody_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not self.issuers:
            raise UsageError("issuers: there is none")
        self._check_issuers()
        for name, client in self.clients.items():
            self._check_client(name, client)
        if self.users is None and any(client.redirect_uris for client in self.clients.values()):
            raise UsageError("users: somebody must be able to sign in where a client has authorization_code")
        if (self.log_key is None) != (self.ledger_log is None):
            raise UsageError("ledger: its log needs a directory and a key")
        if self.witnesses and self.log_key is None:
            raise UsageError("ledger: witnesses sign its log, which another process writes: name them there")
        if self.witness_quorum is not None and not self.witnesses:
            raise UsageError("ledger: witness_quorum is of witnesses, and none is named")
        if self.listen.workers > 1 and self.custody.startswith("keyholder:"):
            raise UsageError(
                "listen: workers cannot have one key file open each; let immure keyholder serve hold it, with"
                " custody = keyholder+unix:SOCKET"
            )
        if self.certificate_header is not None and not self.listen.is_local:
            raise UsageError("listen: client_certificate_header is believed of this machine only")

    def _check_issuers(self) -> None:
        paths: dict[str, str] = {}
        for name, issuer in self.issuers.items():
            parts = urlsplit(issuer.url)
            where = f"issuers.{name}"
            if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
                raise UsageError(f"{where}: url is not an https address without query")
            if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
                raise UsageError(f"{where}: http is for this machine only")
            if issuer.path in paths:
                raise UsageError(f"{where}: has the path of issuers.{paths[issuer.path]}")
            paths[issuer.path] = name
            if issuer.scope.issuer != issuer.url:
                raise UsageError(f"{where}: the scope of its keys is of another issuer")
            if timedelta(seconds=max(issuer.access_seconds, issuer.id_seconds)) > issuer.plan.overlap:
                raise UsageError(f"{where}: a retired key must be published for as long as a token lives")
            _check_tenants(where, {*issuer.scope.tenants, *(one.tenant for one in issuer.trusted.values())})
            unknown = issuer.exchange_from - self.issuers.keys()
            if unknown:
                raise UsageError(f"{where}: exchange_from names {min(unknown)!a}, which is no issuer")
            self._check_exchange(where, issuer)

    def _check_exchange(self, where: str, issuer: Issuer) -> None:
        """The incident's link once more: no consumer's subject becomes one of enterprises."""
        for name in sorted(issuer.exchange_from):
            other = self.issuers[name].scope.audience_classes - issuer.scope.audience_classes
            if other:
                raise UsageError(
                    f"{where}: exchange_from names {name!a}, which is for {min(other)} tokens; this is not"
                )

    def _check_client(self, name: str, client: Client) -> None:
        where = f"clients.{name}"
        issuer = self.issuers.get(client.issuer)
        if issuer is None:
            raise UsageError(f"{where}: there is no issuer {client.issuer!a}")
        if not client.grants or not client.grants <= set(GRANTS):
            raise UsageError(f"{where}: grants are some of {', '.join(GRANTS)}")
        if client.public == bool(client.secrets or client.keys or client.certificates):
            raise UsageError(f"{where}: a client proves who it is, or is public")
        if client.public and client.grants & {CLIENT_CREDENTIALS, TOKEN_EXCHANGE, JWT_BEARER}:
            raise UsageError(f"{where}: a public client only signs people in")
        if (AUTHORIZATION_CODE in client.grants) != bool(client.redirect_uris):
            raise UsageError(f"{where}: authorization_code and redirect_uris belong together")
        for uri in client.redirect_uris + client.logout_uris:
            _check_address(where, uri)
        if client.logout_uris and not client.redirect_uris:
            raise UsageError(f"{where}: logout_uris are of clients that sign people in")
        if (client.certificates or client.bound == "mtls") and self.certificate_header is None:
            raise UsageError(f"{where}: certificates need listen.client_certificate_header")
        if name in self.audiences:
            raise UsageError(
                f"{where}: has the name of an audience, which would take its ID tokens for access"
            )
        unknown = client.serves - self.audiences.keys()
        if unknown:
            raise UsageError(f"{where}: serves {min(unknown)!a}, which is no audience")
        _check_tenants(where, {client.tenant})
        if issuer.scope.tenants and client.tenant and client.tenant not in issuer.scope.tenants:
            raise UsageError(f"{where}: its issuer has no tenant {client.tenant!a}")
        self._check_audiences(where, client, issuer)

    def _check_audiences(self, where: str, client: Client, issuer: Issuer) -> None:
        """The incident's link, in the settings: no client of a consumer issuer has an enterprise audience."""
        if not client.audiences:
            raise UsageError(f"{where}: has no audience")
        for name in client.audiences:
            audience = self.audiences.get(name)
            if audience is None:
                raise UsageError(f"{where}: there is no audience {name!a}")
            if audience.audience_class not in issuer.scope.audience_classes:
                raise UsageError(
                    f"{where}: {name!a} is for {audience.audience_class} tokens, and its issuer has none"
                )


def _check_tenants(where: str, tenants: set[str]) -> None:
    for tenant in tenants - {""}:
        if not _TENANT.fullmatch(tenant):
            raise UsageError(f"{where}: a tenant is a GUID in lower case, not {tenant[:80]!a}")


def _check_address(where: str, uri: str) -> None:
    """Where codes are sent: https, a program on the user's own machine, or a scheme of its own (RFC 8252)."""
    try:
        parts = urlsplit(uri)
        fine = (
            _ADDRESS.fullmatch(uri) is not None
            and not parts.fragment
            and "#" not in uri
            and parts.username is None
            and (parts.hostname is not None if parts.scheme in ("http", "https") else "." in parts.scheme)
            and (parts.scheme != "http" or parts.hostname in ("127.0.0.1", "::1", "localhost"))
        )
    except ValueError:
        fine = False
    if not fine:
        raise UsageError(
            f"{where}: {uri[:80]!a} is neither https, nor http on the user's machine, nor an app's own scheme"
        )
