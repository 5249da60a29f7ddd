"""Who asks: HTTP Basic, a signed assertion, a TLS certificate, or nobody in particular if that is allowed.

Whoever shows something is judged by it: a wrong secret never makes somebody the anonymous client.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from hmac import compare_digest
from typing import Final

from immure import clock
from immure.introspection.asgi import Scope, header_values
from immure.introspection.assertion import Assertions
from immure.introspection.certificate import certificate_of, thumbprint
from immure.introspection.errors import ClientError, FormError
from immure.introspection.forms import form_decoded
from immure.introspection.settings import Settings

_MOST_BYTES: Final = 1 << 10
#: Credentials that were right, whose digests are remembered.
_MOST_KNOWN: Final = 1024
_NOBODY: Final = (bytes(32),)


class Authenticator:
    """Tells the name of the client that sent a request.

    Args:
        settings: of the server.
        assertions: takes those of clients; by default as this server does.
        time: where the time is from.
    """

    def __init__(
        self, settings: Settings, *, assertions: Assertions | None = None, time: clock.Clock = clock.now
    ) -> None:
        clients = settings.clients
        self._secrets = {name: client.secrets for name, client in clients.items() if client.secrets}
        self._known: dict[bytes, str] = {}
        self._assertions = assertions or Assertions(settings, time=time)
        self._certificates = {
            one: name for name, client in clients.items() for one in client.certificates
        }  # fmt: skip
        self._header = (settings.certificate_header or "").encode("ascii")
        self._anonymous = next((name for name, client in clients.items() if client.anonymous), None)

    async def client(self, scope: Scope, form: Mapping[str, str]) -> str:
        """The client's name.

        Raises:
            ClientError: it is none of ours, did not prove it, or showed more than one proof.
            KeySourceError: the keys of the client cannot be had now.
        """
        given = header_values(scope, b"authorization")
        if len(given) == 1 and len(form) == 1:
            known = self._known.get(hashlib.sha256(given[0]).digest())
            if known is not None:
                return known
        if "client_secret" in form:
            raise ClientError("a secret in the body is not taken: HTTP Basic")
        if given:
            if len(given) > 1 or "client_assertion" in form:
                raise ClientError("more than one proof of who asks")
            name = self._basic(given[0])
        elif "client_assertion" in form or "client_assertion_type" in form:
            name = await self._assertions.client(form)
        else:
            name = self._by_connection(scope)
        if form.get("client_id", name) != name:
            raise ClientError("client_id names another client")
        return name

    def _basic(self, value: bytes) -> str:
        """RFC 7617, with the escapes of RFC 6749, section 2.3.1."""
        name, secret = _credentials(value)
        digest, right = hashlib.sha256(secret.encode("utf-8")).digest(), False
        for known in self._secrets.get(name, _NOBODY):
            right |= compare_digest(digest, known)
        if not right:
            raise ClientError("the client is not known, or its secret is wrong")
        if len(self._known) >= _MOST_KNOWN:
            self._known = {}
        self._known[hashlib.sha256(value).digest()] = name
        return name

    def _by_connection(self, scope: Scope) -> str:
        if self._certificates:
            der = certificate_of(header_values(scope, self._header))
            if der is not None:
                name = self._certificates.get(thumbprint(der))
                if name is None:
                    raise ClientError("the TLS certificate is no client's")
                return name
        if self._anonymous is None:
            raise ClientError("who asks did not say who it is")
        return self._anonymous


def _credentials(value: bytes) -> tuple[str, str]:
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() != b"basic" or len(value) > _MOST_BYTES:
        raise ClientError("the client did not use HTTP Basic")
    try:
        name, colon, secret = base64.b64decode(rest.strip(b" "), validate=True).partition(b":")
        if not colon:
            raise ClientError("there is no secret")
        return form_decoded(name), form_decoded(secret)
    except (binascii.Error, FormError):
        raise ClientError("the credentials are malformed") from None
