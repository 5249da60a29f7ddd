"""The texts of a new kit: ``kit.toml``, and ``policy.toml`` for Immure's own validator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from immure.clock import to_rfc3339
from immure.probe.kit import Kit

#: Names under .test belong to nobody (RFC 6761).
_LOGIN: Final = "https://login.immure-probe.test"
_CLOUD: Final = "immure-probe.test"
_TENANTS: Final = {
    "enterprise": "4f1c7f0e-6d0a-4c53-9a53-0c1c1e6a7a10",
    "consumer": "9a4c2e52-30c5-4a0b-8f1e-7f3b1d2c4e20",
    "other-tenant": "c07d5b38-91e2-4f6c-b1a4-2d6e8f0a1b30",
}
_HEAD: Final = """\
# Test keys for `immure probe`. Nothing but tests may ever depend on them.
# Tell the relying party in staging of the keys in jwks.json, and to let in tokens of the target's issuer for
# its audience. Then change here what a good token needs besides.
version = 1
target = "enterprise"
typ = "JWT"            # "at+jwt" if it asks for RFC 9068; "none" leaves it out
single_use = false     # true if it takes a token once only
bound = false          # true if it knows tokens that are bound to a key of their holder (cnf)

[claims]               # what a good token has besides iss, sub, aud, iat, nbf, exp, jti and tid
"""


def kit_text(audience: str, keys: Sequence[Mapping[str, Any]]) -> str:
    """``kit.toml``."""
    parts = [_HEAD]
    for name, tenant in _TENANTS.items():
        parts.append(
            f"[scopes.{name}]\n"
            f'issuer = "{_LOGIN}/{tenant}/v2.0"\n'
            f"audience = {_text(_other_audience(audience, name))}\n"
            f'audience_class = "{"consumer" if name == "consumer" else "enterprise"}"\n'
            f'tenant = "{tenant}"\ncloud = "{_CLOUD}"\n'
        )
    for key in keys:
        members = {"file": f"keys/{key['kid']}.pem", **key}
        lines = [f"{name} = {_value(value)}\n" for name, value in members.items() if name != "kid"]
        parts.append(f"[keys.{key['kid']}]\n{''.join(lines)}")
    return "\n".join(parts)


def policy_text(kit: Kit, algorithms: Sequence[str]) -> str:
    """``policy.toml``: what a relying party accepts that is the kit's target."""
    target = kit.target
    consumer = kit.other_scope(same_class=False)
    return f"""\
version = 1

[sources.login]
file = "jwks.json"

[issuers.{_text(target.issuer)}]
source = "login"
audience_class = {_text(target.audience_class)}
algorithms = {json.dumps(list(algorithms))}
tenants = [{_text(target.tenant or "")}]
clouds = [{_text(target.cloud or "")}]

[issuers.{_text(consumer.issuer)}]
source = "login"
audience_class = {_text(consumer.audience_class)}
exact_keys = true

[audiences]
{_text(target.audience)} = [{_text(target.audience_class)}]
"""


def _other_audience(audience: str, name: str) -> str:
    return f"https://{name}.immure-probe.test/chat" if name == "consumer" else audience


def _text(value: str) -> str:
    """A basic string of TOML; what JSON escapes, TOML escapes alike."""
    return json.dumps(value)


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return to_rfc3339(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)
