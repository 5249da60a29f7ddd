"""Who asks for a token: by HTTP Basic, an assertion, a TLS certificate; or a public client, by its name.

The same code as in front of introspection; here an assertion is remembered by all processes of the service.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from immure import clock
from immure.introspection.asgi import Scope, header_values
from immure.introspection.assertion import Assertions
from immure.introspection.authenticate import Authenticator
from immure.introspection.certificate import certificate_of, thumbprint
from immure.introspection.errors import ClientError
from immure.signing.settings import Client, Issuer, Settings
from immure.signing.state import State
from immure.tokens.strict import decode_object, decode_segment

_KIND: Final = "assertion"
#: Seconds that an assertion may still be valid for: what widespread clients take if nobody says otherwise.
LONGEST: Final = 3600


@dataclass(frozen=True)
class _Seen:
    """What the authenticator needs of the settings."""

    clients: Mapping[str, Client]
    endpoint: frozenset[str]
    certificate_header: str | None


@dataclass(frozen=True, slots=True)
class Asking:
    """A client that proved who it is.

    Attributes:
        certificate: thumbprint of the TLS certificate that came with the request, None if none did.
    """

    name: str
    client: Client
    certificate: str | None


class Clients:
    """Tells which client of an issuer sent a request.

    Args:
        settings: of the service.
        issuer: whose endpoint it is; its name and itself.
        state: where used assertions are remembered.
        time: where the time is from.
    """

    def __init__(
        self, settings: Settings, issuer: tuple[str, Issuer], state: State, *, time: clock.Clock = clock.now
    ) -> None:
        name, self._issuer = issuer
        self._clients = {one: client for one, client in settings.clients.items() if client.issuer == name}
        self._header = (settings.certificate_header or "").encode("ascii")
        proving = {one: client for one, client in self._clients.items() if not client.public}
        ends = {self._issuer.url, *(f"{self._issuer.url}/{end}" for end in ("token", "revoke", "introspect"))}
        self._ends = frozenset(ends)
        view: Any = _Seen(proving, self._ends, settings.certificate_header)
        assertions = Assertions(view, longest=LONGEST, remember=False, time=time)
        self._authenticator = Authenticator(view, assertions=assertions, time=time)
        self._state = state
        self._time = time

    def claimed(self, form: Mapping[str, str]) -> str | None:
        """The client of ours that a request says it is from, for the journal; nothing is proved by that."""
        name = form.get("client_id")
        return name if name in self._clients else None

    async def asking(self, scope: Scope, form: Mapping[str, str]) -> Asking:
        """The client.

        Raises:
            ClientError: it is none of this issuer's, or did not prove it.
            KeySourceError: the client's keys cannot be had now.
            StateError: whether an assertion was used before cannot be told.
        """
        if "client_assertion" in form and header_values(scope, b"authorization"):
            raise ClientError("more than one proof of who asks")  # the short way by a known secret sees one
        name = self._public(scope, form) or await self._authenticator.client(scope, form)
        if "client_assertion" in form:
            await self._once(form["client_assertion"])
        return Asking(name, self._clients[name], self._certificate(scope))

    def _public(self, scope: Scope, form: Mapping[str, str]) -> str | None:
        name = form.get("client_id", "")
        client = self._clients.get(name)
        if client is None or not client.public:
            return None
        if header_values(scope, b"authorization") or "client_assertion" in form or "client_secret" in form:
            raise ClientError("a public client has nothing to prove who it is with")
        return name

    async def _once(self, assertion: str) -> None:
        """Whoever else is named in it could show it here (draft-ietf-oauth-rfc7523bis): it is for us."""
        signed = assertion.rpartition(".")[0]
        named = decode_object(decode_segment(signed.partition(".")[2].encode())).get("aud")
        if not isinstance(named, str) and not self._ends.issuperset(named or ()):
            raise ClientError("the assertion is for others, too")
        digest = hashlib.sha256(signed.encode("utf-8", "surrogatepass")).digest()
        now = int(self._time().timestamp())
        until = now + LONGEST + 120
        if not await self._state.ask(self._state.once, _KIND, digest, until=until, now=now):
            raise ClientError("the assertion was used before")

    def _certificate(self, scope: Scope) -> str | None:
        if not self._header:
            return None
        der = certificate_of(header_values(scope, self._header))
        return None if der is None else thumbprint(der)
