"""Whether a mail server and the introspection server that it asks have been told the same.

What does not agree shows only at a login otherwise: as one that fails, or, where an answer may lack its
tenant, as a login process of Dovecot's that ends.
"""

from __future__ import annotations

import hashlib
from typing import Final

from immure.introspection.settings import Client, Settings
from immure.mail.settings import Domain, MailSettings
from immure.tokens.policy import IssuerRule

_ANY_TENANT: Final = "{tenantid}"


def disagreements(mail: MailSettings, asked: Settings) -> list[str]:
    """What does not agree, each in a few words; nothing if all is well.

    Args:
        mail: settings of the mail server.
        asked: settings of the introspection server.
    """
    client = asked.clients.get(mail.asking.client)
    if client is None:
        return [f"the introspection server knows no client {mail.asking.client}"]
    found = []
    if hashlib.sha256(mail.asking.secret.encode()).digest() not in client.secrets:
        found.append(f"the secret is none of the client {mail.asking.client}")
    if asked.username is None:
        found.append("the introspection server returns no username (introspection.username)")
    rules = _rules(asked, client)
    if mail.has_tenants:
        found += [
            f"{issuer}: lists no tenants, so that an answer may lack one"
            for issuer, rule in rules.items()
            if not rule.tenants and _ANY_TENANT not in issuer
        ]
    for name, domain in mail.domains.items():
        if not any(_is_of(domain, issuer, rule) for issuer, rule in rules.items()):
            found.append(f"{name}: the policy takes no token of its issuer and tenant for this client")
    return found


def _rules(asked: Settings, client: Client) -> dict[str, IssuerRule]:
    """The rules by which a token for one of the client's audiences is accepted."""
    audiences = asked.policy.audiences
    classes = {one for name in client.audiences for one in audiences[name]}
    return {name: rule for name, rule in asked.policy.issuers.items() if rule.audience_class in classes}


def _is_of(domain: Domain, issuer: str, rule: IssuerRule) -> bool:
    tenant = domain.tenant or ""
    if issuer.replace(_ANY_TENANT, tenant) != domain.issuer:
        return False
    if domain.tenant is None:
        return True
    return (not rule.tenants or tenant in rule.tenants) and tenant not in rule.separate_tenants
