"""Where a client learns who issues tokens for a resource: protected resource metadata (RFC 9728).

>>> metadata_path("https://mail.example/inbox")
'/.well-known/oauth-protected-resource/inbox'
>>> metadata_url("https://mail.example/inbox")
'https://mail.example/.well-known/oauth-protected-resource/inbox'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from immure.errors import UsageError
from immure.integrations.scopes import checked_scopes

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
#: Characters of a URL (RFC 3986, section 2), none of which ends a quoted text.
_URL: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def protected_resource_metadata(
    resource: str,
    authorization_servers: Sequence[str],
    *,
    scopes: Sequence[str] = (),
    name: str | None = None,
    documentation: str | None = None,
    certificate_bound: bool = False,
    proof_algorithms: Sequence[str] = (),
    proof_required: bool = False,
) -> dict[str, Any]:
    """The document that is served at :func:`metadata_path` (RFC 9728, section 2).

    Args:
        resource: the resource's own address; what ``aud`` names, if the issuer keeps to RFC 8707.
        authorization_servers: their issuer identifiers.
        scopes: that the resource knows, all or those that it wants to be public.
        name, documentation: for people.
        certificate_bound: tokens are bound to TLS certificates (RFC 8705).
        proof_algorithms, proof_required: of DPoP proofs (RFC 9449).

    Raises:
        UsageError: an address is not of https (or of this machine), or has a fragment; a scope is none.
    """
    members: dict[str, Any] = {
        "resource": checked_url(resource),
        "authorization_servers": [checked_url(server) for server in authorization_servers],
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(checked_scopes(scopes)),
        "resource_name": name,
        "resource_documentation": None if documentation is None else checked_url(documentation),
        "tls_client_certificate_bound_access_tokens": certificate_bound,
        "dpop_signing_alg_values_supported": sorted(proof_algorithms),
        "dpop_bound_access_tokens_required": proof_required,
    }
    return {member: value for member, value in members.items() if value}


def metadata_path(resource: str) -> str:
    """The path of a resource's metadata (RFC 9728, section 3); raises UsageError as above."""
    path = urlsplit(checked_url(resource)).path
    return WELL_KNOWN + ("" if path == "/" else path)


def metadata_url(resource: str) -> str:
    """The address of a resource's metadata, to be given to a guard; raises UsageError as above."""
    parts = urlsplit(checked_url(resource))
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{metadata_path(resource)}{query}"


def checked_url(url: str) -> str:
    """The same address, if it is absolute and of https, or of http on this machine, without a fragment.

    Raises:
        UsageError: it is not.
    """
    if "#" in url or not _URL.fullmatch(url) or not _is_good(_split(url)):
        raise UsageError(f"this is no address of https without a fragment: {url[:200]!a}")
    return url


def checked_origin(url: str) -> str:
    """The same address, if it has nothing behind the port; raises UsageError otherwise."""
    parts = urlsplit(checked_url(url))
    if url != f"{parts.scheme}://{parts.netloc}":
        raise UsageError(f"an origin has no path and no query: {url[:200]!a}")
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return None
    return parts if has_port else None


def _is_good(parts: SplitResult | None) -> bool:
    if parts is None or not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
