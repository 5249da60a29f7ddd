"""Policies for issuers that many have: each a function of the few things that differ.

    policy = entra(tenants=["7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f"], audience="api://mail")

Each takes ``source`` where the keys are to come from somewhere else than the issuer's own address.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, Literal

from immure.errors import PolicyError
from immure.registry.scope import TENANT
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from immure.tokens.sources import DiscoverySource, HttpsPages, UrlSource

#: The tenant of consumers' accounts, which has keys of its own.
CONSUMERS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
_RS256: Final = frozenset({"RS256"})
_API_SERVER: Final = "kubernetes.default.svc"
_MOUNTED: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_IN_CLUSTER: Final = HttpsPages(
    allow_private_hosts=True,
    ca_file=f"{_MOUNTED}/ca.crt",
    token_file=f"{_MOUNTED}/token",
    token_host=_API_SERVER,
)
_DAY: Final = timedelta(days=1)


def entra(
    *,
    audience: str,
    tenants: Iterable[str] = (),
    consumers: bool = False,
    cloud: str = "microsoftonline.com",
    host: str = "login.microsoftonline.com",
    source: KeySource | None = None,
    **changes: Any,
) -> Policy:
    """Microsoft Entra ID, tokens of version 2.0.

    Args:
        audience: of the application.
        tenants: ids of those that are let in; none means all of enterprises and schools.
        consumers: whether consumers' accounts are let in, too, as a class of their own.
        cloud: ``cloud_instance_name`` that its keys must have.
        host: of the cloud.
        source: of keys; by default the common key set, whose keys say what they may sign for.
        changes: other members of the policy.
    """
    keys = source or UrlSource(f"https://{host}/common/discovery/v2.0/keys")
    clouds = frozenset({cloud})
    issuers = {
        f"https://{host}/{TENANT}/v2.0": IssuerRule(
            keys,
            "enterprise",
            algorithms=_RS256,
            tenants=frozenset(tenants),
            separate_tenants=frozenset({CONSUMERS}),
            clouds=clouds,
        )
    }
    if consumers:
        issuers[f"https://{host}/{CONSUMERS}/v2.0"] = IssuerRule(
            keys,
            "consumer",
            algorithms=_RS256,
            tenants=frozenset({CONSUMERS}),
            clouds=clouds,
            exact_keys=True,
        )
    classes = frozenset({"enterprise", "consumer"} if consumers else {"enterprise"})
    return Policy(issuers, {audience: classes}, **{"max_age": timedelta(hours=29), **changes})


def google(
    *, audience: str, domains: Iterable[str] = (), source: KeySource | None = None, **changes: Any
) -> Policy:
    """Google, ID tokens; ``domains`` are those of Workspace (``hd``) that are let in, none means anybody."""
    issuer = "https://accounts.google.com"
    allowed = frozenset(domains)
    values = {"hd": allowed} if allowed else {}
    made = {"max_age": timedelta(hours=2), "values": values, **changes}
    keys = source or DiscoverySource(issuer, jwks_hosts=["www.googleapis.com"])
    return _single(issuer, audience, "enterprise" if allowed else "consumer", keys, **made)


def auth0(*, domain: str, audience: str, source: KeySource | None = None, **changes: Any) -> Policy:
    """Auth0; ``domain`` is the tenant's or a custom one. Its issuer ends with a slash."""
    return _single(f"https://{_host(domain)}/", audience, "enterprise", source, **changes)


def okta(
    *, domain: str, audience: str, server: str = "default", source: KeySource | None = None, **changes: Any
) -> Policy:
    """Okta, access tokens of an authorization server."""
    issuer = f"https://{_host(domain)}/oauth2/{_segment(server)}"
    return _single(issuer, audience, "enterprise", source, **changes)


def keycloak(
    *, url: str, realm: str, audience: str, source: KeySource | None = None, **changes: Any
) -> Policy:
    """Keycloak; ``url`` is where it is, up to but without ``/realms``."""
    issuer = f"{url.rstrip('/')}/realms/{_segment(realm)}"
    made = {"values": {"typ": frozenset({"Bearer"})}, **changes}
    algorithms = frozenset({"RS256", "ES256", "PS256", "EdDSA"})
    return _single(issuer, audience, "enterprise", source, algorithms, **made)


def cognito(
    *,
    region: str,
    pool: str,
    client: str | Iterable[str],
    token_use: Literal["id", "access"] = "id",
    resource: str | None = None,
    source: KeySource | None = None,
    **changes: Any,
) -> Policy:
    """AWS Cognito, tokens of a user pool.

    Args:
        region, pool: where the pool is, and its id.
        client: one or more apps whose tokens are taken.
        token_use: ``id`` tokens, which name the app in ``aud``; or ``access`` tokens, which name it in
            ``client_id``. Never both at once: what logs somebody in is no permission, and the reverse.
        resource: of access tokens that are bound to a resource server: they name it in ``aud``.
        source: of keys.
        changes: other members of the policy.
    """
    clients = frozenset((client,) if isinstance(client, str) else client)
    if token_use not in ("id", "access") or not clients or (resource and token_use == "id"):
        raise PolicyError("token_use is id or access, of at least one client; only the latter has a resource")
    values = {"token_use": frozenset({token_use}), **changes.pop("values", {})}
    if token_use == "access":
        values["client_id"] = clients
        changes = {"audience_claim": "aud" if resource else "client_id", **changes}
    issuer = f"https://cognito-idp.{_host(region)}.amazonaws.com/{_segment(pool)}"
    made = {"max_age": _DAY, "values": values, **changes}
    return _single(issuer, {resource} if resource else clients, "consumer", source, **made)


def github_actions(
    *, audience: str, repositories: Iterable[str], source: KeySource | None = None, **changes: Any
) -> Policy:
    """GitHub Actions; ``repositories`` (``owner/name``) must be named: the issuer signs for everybody's."""
    allowed = frozenset(repositories)
    if not allowed:
        raise PolicyError("name the repositories: GitHub signs for everybody's")
    made = {"max_age": timedelta(hours=1), **changes}
    made["values"] = {"repository": allowed, **made.get("values", {})}
    return _single("https://token.actions.githubusercontent.com", audience, "workload", source, **made)


def kubernetes(
    *,
    issuer: str,
    audience: str,
    in_cluster: bool = False,
    source: KeySource | None = None,
    **changes: Any,
) -> Policy:
    """Service accounts of a Kubernetes cluster.

    Args:
        issuer: as ``--service-account-issuer`` has it.
        audience: that tokens are asked for with.
        in_cluster: we run in a pod of this cluster: keys come from its API server, which is asked with the
            pod's own token, and known by the certificates that are mounted beside it.
        source: of keys, if not that or the issuer's discovery document.
        changes: other members of the policy.
    """
    if in_cluster and source is None:
        source = UrlSource(f"https://{_API_SERVER}/openid/v1/jwks", issuer=issuer, fetcher=_IN_CLUSTER)
    algorithms = frozenset({"RS256", "ES256"})
    return _single(issuer, audience, "workload", source, algorithms, **changes)


def immure(
    *, issuer: str, audience: str, audience_class: str, source: KeySource | None = None, **changes: Any
) -> Policy:
    """Our own issuer: access tokens of RFC 9068, from keys that say all of their scope."""
    algorithms = frozenset({"EdDSA", "Ed25519", "ES256", "PS256"})
    made = {
        "token_type": "at+jwt",
        "max_age": _DAY,
        "require": frozenset({"exp", "iat", "sub", "jti", "client_id"}),
        **changes,
    }
    return _single(issuer, audience, audience_class, source, algorithms, **made)


PRESETS: Final = {
    "entra": entra,
    "google": google,
    "auth0": auth0,
    "okta": okta,
    "keycloak": keycloak,
    "cognito": cognito,
    "github-actions": github_actions,
    "kubernetes": kubernetes,
    "immure": immure,
}


def _single(
    issuer: str,
    audience: str | Iterable[str],
    audience_class: str,
    source: KeySource | None,
    algorithms: frozenset[str] = _RS256,
    **changes: Any,
) -> Policy:
    rule = IssuerRule(source or DiscoverySource(issuer), audience_class, algorithms=algorithms)
    names = (audience,) if isinstance(audience, str) else audience
    return Policy({issuer: rule}, dict.fromkeys(names, frozenset({audience_class})), **changes)


def _host(name: str) -> str:
    """A host name, or a part of one; nothing that could lead to another place."""
    if not name or not all(one.isascii() and (one.isalnum() or one in "-.") for one in name):
        raise PolicyError(f"not the name of a host: {name[:80]!a}")
    return name


def _segment(name: str) -> str:
    if not name or not all(one.isascii() and (one.isalnum() or one in "-._") for one in name):
        raise PolicyError(f"not a name: {name[:80]!a}")
    return name
