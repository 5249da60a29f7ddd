"""What a scope allows."""

from __future__ import annotations

import pytest

from immure.registry.scope import KeyScope

from .material import ISSUER, TEMPLATE, TENANT


@pytest.mark.parametrize(
    ("scope", "issuer", "tenant", "allowed"),
    [
        (ISSUER, ISSUER, None, True),
        (ISSUER, ISSUER + "/", None, False),
        (ISSUER, ISSUER.upper(), None, False),
        (ISSUER, "", None, False),
        (TEMPLATE, TEMPLATE.replace("{tenantid}", TENANT), TENANT, True),
        (TEMPLATE, TEMPLATE, None, False),
        (TEMPLATE, TEMPLATE.replace("{tenantid}", TENANT.upper()), None, False),
        (TEMPLATE, TEMPLATE.replace("{tenantid}", TENANT + "/x"), None, False),
        (TEMPLATE, TEMPLATE.replace("{tenantid}", "common"), None, False),
        (TEMPLATE, TEMPLATE.replace("{tenantid}", TENANT) + "\n", None, False),
        (TEMPLATE, TEMPLATE.replace("{tenantid}", TENANT).replace(".example", "xexample"), None, False),
        ("https://a/{tenantid}{tenantid}", f"https://a/{TENANT}{TENANT}", None, False),
    ],
)
def test_issuers(scope, issuer, tenant, allowed):
    assert KeyScope(scope).tenant_of(issuer) == tenant
    assert KeyScope(scope).allows_issuer(issuer) is allowed
