"""What an issuer says of itself: discovery documents and its key set, each issuer its own.

Every key in the set says for whom it may sign (``issuer``, ``audience_classes``): relying parties that ask
for that refuse it elsewhere, and no set is ever that of two issuers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from immure import clock
from immure.registry.jwks import SetScope, jwks_for
from immure.signing.key_view import KeyView, Records
from immure.signing.settings import (
    AUTHORIZATION_CODE,
    GRANTS,
    REFRESH_TOKEN,
    Client,
    Issuer,
    Settings,
)

#: Seconds for which relying parties may keep a key set; a key is announced for longer.
MAX_AGE: Final = 300
#: Seconds after which a set is made anew even if no key changed: times run out.
_FRESH: Final = 10.0
_ALGORITHMS: Final = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]


def metadata(settings: Settings, name: str) -> dict[str, Any]:
    """The document of OpenID Discovery 1.0 and RFC 8414; one document is both."""
    issuer = settings.issuers[name]
    clients = [client for client in settings.clients.values() if client.issuer == name]
    granted = {grant for client in clients for grant in client.grants}
    scopes = {scope for client in clients for scope in client.scopes}
    made: dict[str, Any] = {
        "issuer": issuer.url,
        "token_endpoint": f"{issuer.url}/token",
        "jwks_uri": f"{issuer.url}/jwks",
        "introspection_endpoint": f"{issuer.url}/introspect",
        "revocation_endpoint": f"{issuer.url}/revoke",
        "grant_types_supported": [grant for grant in GRANTS if grant in granted],
        "response_types_supported": ["code"] if AUTHORIZATION_CODE in granted else [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [issuer.plan.algorithm],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "dpop_signing_alg_values_supported": _ALGORITHMS,
        "tls_client_certificate_bound_access_tokens": settings.certificate_header is not None,
        "scopes_supported": sorted(scopes | ({"openid"} if AUTHORIZATION_CODE in granted else set())),
    }
    for endpoint in ("token", "revocation", "introspection"):
        made[f"{endpoint}_endpoint_auth_methods_supported"] = _methods(clients, endpoint)
        made[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = _ALGORITHMS
    if AUTHORIZATION_CODE in granted:
        made |= {
            "response_modes_supported": ["query"],
            "end_session_endpoint": f"{issuer.url}/end-session",
            "authorization_endpoint": f"{issuer.url}/authorize",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "tid"],
        }
    if REFRESH_TOKEN in granted:
        made["scopes_supported"] = sorted({*made["scopes_supported"], "offline_access"})
    return made


def _methods(clients: Sequence[Client], endpoint: str) -> list[str]:
    """How clients say who they are; those who prove nothing may not ask about tokens."""
    found = {
        "client_secret_basic": any(one.secrets for one in clients),
        "private_key_jwt": any(one.keys for one in clients),
        "tls_client_auth": any(one.certificates for one in clients),
        "none": endpoint != "introspection" and any(one.public for one in clients),
    }
    return [name for name, there in found.items() if there]


class PublishedKeys:
    """The key set of an issuer, as bytes; made anew when the registry changes.

    Args:
        view: of the registry.
        issuer: whose set it is.
        time: where the time is from.
    """

    def __init__(self, view: KeyView, issuer: Issuer, *, time: clock.Clock = clock.now) -> None:
        self._view = view
        self._issuer = issuer
        self._time = time
        self._made: tuple[Records, datetime, bytes] | None = None
        self._kids = ""

    async def document(self) -> bytes:
        """The set; raises RegistryError if the registry cannot be read."""
        records, now = await self._view.records(), self._time()
        made = self._made
        if made is None or made[0] is not records or abs((now - made[1]).total_seconds()) > _FRESH:
            made = self._made = (records, now, self._make(records, now))
        return made[2]

    @property
    def kids(self) -> str:
        """Of the keys in the last document, with spaces between."""
        return self._kids

    def _make(self, records: Records, now: datetime) -> bytes:
        plan = self._issuer.plan
        keys: dict[str, dict[str, Any]] = {}
        for audience_class in sorted(plan.scope.audience_classes):
            scope = SetScope(self._issuer.url, audience_class, min(plan.scope.clouds, default=""))
            found = jwks_for(records, scope, at=now, announce=True, grace=plan.overlap)
            for key in found["keys"]:
                known = keys.setdefault(key["kid"], key)
                known["audience_classes"] = sorted({*known["audience_classes"], *key["audience_classes"]})
        self._kids = " ".join(sorted(keys))
        return json.dumps({"keys": list(keys.values())}).encode()
