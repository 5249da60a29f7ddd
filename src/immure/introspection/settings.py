"""What the server is told: whom it answers, about which audiences, and how it listens.

:mod:`immure.introspection.settings_file` reads them from a file; a program may also make them itself:

    application(Settings(policy, clients={"mail": Client(frozenset({"https://mail.example"}), secrets=(…,))}))
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from immure.errors import UsageError
from immure.tokens.acceptance.keeping import Keeping
from immure.tokens.policy import Policy
from immure.tokens.source import KeySource

Consumer = Literal["nginx", "envoy", "traefik", "caddy"]
Refusals = Literal["none", "refused", "all"]
#: Headers that a profile sends with 200, and what is in them.
IDENTITY: Final = ("subject", "issuer", "tenant", "client", "audience", "scope", "username")
_DEFAULT_HEADERS: Final = {name: f"X-Immure-{name.title()}" for name in IDENTITY}


@dataclass(frozen=True)
class Client:
    """Who may ask about tokens, and how it says who it is: in one way at least.

    Attributes:
        audiences: those that it may ask about; of all other tokens it hears that they are not active.
        secrets: SHA-256 of each secret that it may have (two while one takes the other's place).
        keys: its own, for signed assertions (RFC 7523).
        certificates: SHA-256 thumbprints of its TLS certificates (RFC 8705, section 2.2).
        anonymous: whoever says nothing of who it is, is this client; for one that cannot say it.
        checks_binding: it compares ``cnf`` itself, and so is told of tokens that are bound to a key.
    """

    audiences: frozenset[str]
    secrets: tuple[bytes, ...] = ()
    keys: KeySource | None = None
    certificates: frozenset[str] = frozenset()
    anonymous: bool = False
    checks_binding: bool = False


@dataclass(frozen=True)
class Forward:
    """A profile of forward authentication: the path ``/auth/NAME`` and all below it.

    Attributes:
        consumer: which proxy asks; its own rules say what status it understands.
        audience: which of the policy's audiences is behind the proxy.
        scopes: that a token must have; without them the answer is 403.
        realm: in the challenge.
        headers: names of the headers that tell who it is, by what is in them (:data:`IDENTITY`).
        unavailable: status if keys cannot be had or the log cannot be written; 403 or 503.
        client_certificate: take the client's TLS certificate from the proxy's header.
    """

    consumer: Consumer
    audience: str
    scopes: frozenset[str] = frozenset()
    realm: str = "immure"
    headers: Mapping[str, str] = field(default_factory=lambda: _DEFAULT_HEADERS)
    unavailable: int | None = None
    client_certificate: bool = False


@dataclass(frozen=True)
class Listen:
    """Where the server listens: an address, or a Unix socket.

    Attributes:
        host, port: of TCP.
        unix: path of the socket; then host and port do not count.
        certificate, key: PEM files for TLS.
        behind_proxy: others than this machine may connect without TLS, as a proxy in front has it.
        workers: processes.
        inherited: the socket is handed over by whoever starts the server; the others do not count.
    """

    host: str = "127.0.0.1"
    port: int = 8930
    unix: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    workers: int = 1
    inherited: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        if self.unix is not None or self.inherited:  # of a socket that is handed over, its address decides
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True)
class Settings:
    """All of it.

    Attributes:
        policy: what is accepted.
        clients: who may ask, by name.
        forward: profiles by name.
        listen: see :class:`Listen`.
        log_directory: of the log of acceptances; None if none is written, which only tests should want.
        keeping: how the log is kept.
        endpoint: URL of ``/introspect`` as clients write it, and other names of ours: what the ``aud`` of an
            assertion must hold.
        username: claim that is returned as ``username``.
        claims: other claims that are returned as they are.
        certificate_header: header in which a proxy on this machine hands on the client's TLS certificate
            (RFC 9440), in lower case; None if no proxy does.
        metrics: whether ``/metrics`` answers.
        journal: of which decisions a line is written to standard error.
    """

    policy: Policy
    clients: Mapping[str, Client] = field(default_factory=dict)
    forward: Mapping[str, Forward] = field(default_factory=dict)
    listen: Listen = field(default_factory=Listen)
    log_directory: Path | None = None
    keeping: Keeping = field(default_factory=Keeping)
    endpoint: frozenset[str] = frozenset()
    username: str | None = None
    claims: tuple[str, ...] = ()
    certificate_header: str | None = None
    metrics: bool = True
    journal: Refusals = "refused"

    def __post_init__(self) -> None:
        if not self.clients and not self.forward:
            raise UsageError("neither clients nor profiles: nobody could ask anything")
        for name, client in self.clients.items():
            self._check_client(name, client)
        for name, profile in self.forward.items():
            self._check_profile(name, profile)
        if sum(client.anonymous for client in self.clients.values()) > 1:
            raise UsageError("clients: only one can be the anonymous one")
        self._check_listening()

    def _check_client(self, name: str, client: Client) -> None:
        where = f"clients.{name}"
        self._check_audiences(where, client.audiences)
        if not (client.secrets or client.keys or client.certificates or client.anonymous):
            raise UsageError(f"{where}: says in no way who it is (secrets, keys, certificates, anonymous)")
        if client.anonymous and not self.listen.is_local:
            raise UsageError(f"{where}: anonymous is only for those on this machine; listen on loopback")
        if client.certificates and self.certificate_header is None:
            raise UsageError(f"{where}: certificates need listen.client_certificate_header")
        if client.keys is not None and not self.endpoint:
            raise UsageError(
                f"{where}: signed assertions need introspection.endpoint, the URL that they name"
            )

    def _check_profile(self, name: str, profile: Forward) -> None:
        where = f"forward.{name}"
        self._check_audiences(where, frozenset({profile.audience}))
        if profile.consumer not in get_args(Consumer):
            raise UsageError(f"{where}: consumer is one of {', '.join(get_args(Consumer))}")
        if profile.unavailable not in (None, 403, 503):
            raise UsageError(f"{where}: unavailable is 403 or 503")
        if profile.client_certificate and self.certificate_header is None:
            raise UsageError(f"{where}: client_certificate needs listen.client_certificate_header")

    def _check_audiences(self, where: str, audiences: frozenset[str]) -> None:
        if not audiences:
            raise UsageError(f"{where}: may ask about no audience")
        unknown = audiences - self.policy.audiences.keys()
        if unknown:
            raise UsageError(f"{where}: the policy has no audience {min(unknown)!a}")

    def _check_listening(self) -> None:
        listen = self.listen
        if (listen.certificate is None) != (listen.key is None):
            raise UsageError("listen: TLS takes a certificate and a key")
        if not (listen.is_local or listen.certificate or listen.behind_proxy):
            raise UsageError(
                "listen: tokens would cross the network in the open: take TLS, or say behind_proxy"
            )
        if self.certificate_header is not None and not listen.is_local:
            raise UsageError("listen: client_certificate_header is believed of this machine only")
