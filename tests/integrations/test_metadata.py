"""Protected resource metadata (RFC 9728)."""

from __future__ import annotations

import pytest

from immure.errors import UsageError
from immure.integrations.metadata import metadata_path, metadata_url, protected_resource_metadata


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://mail.example", "/.well-known/oauth-protected-resource"),
        ("https://mail.example/", "/.well-known/oauth-protected-resource"),
        ("https://mail.example:8443/a/b", "/.well-known/oauth-protected-resource/a/b"),
        ("https://mail.example/a/", "/.well-known/oauth-protected-resource/a/"),
        ("http://127.0.0.1:8000/mcp", "/.well-known/oauth-protected-resource/mcp"),
        ("http://localhost:8000/mcp", "/.well-known/oauth-protected-resource/mcp"),
        ("http://[::1]:8000/mcp", "/.well-known/oauth-protected-resource/mcp"),
    ],
)
def test_where_it_is(resource, path):
    assert metadata_path(resource) == path
    assert metadata_url(resource) == "/".join(resource.split("/")[:3]) + path


def test_a_query_stays_behind_the_path():
    """RFC 9728, section 3: the well-known part goes between host, and path and query."""
    assert metadata_url("https://a.example/b?c=d") == (
        "https://a.example/.well-known/oauth-protected-resource/b?c=d"
    )


def test_what_is_in_it():
    made = protected_resource_metadata(
        "https://mail.example",
        ["https://login.example"],
        scopes=["mail.read", "mail.send"],
        name="Mail",
        documentation="https://mail.example/docs",
        certificate_bound=True,
        proof_algorithms=["ES256", "EdDSA"],
        proof_required=True,
    )
    assert made == {
        "resource": "https://mail.example",
        "authorization_servers": ["https://login.example"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mail.read", "mail.send"],
        "resource_name": "Mail",
        "resource_documentation": "https://mail.example/docs",
        "tls_client_certificate_bound_access_tokens": True,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "dpop_bound_access_tokens_required": True,
    }


def test_nothing_empty_is_in_it():
    """RFC 9728, section 3.2: members without a value are left out."""
    assert protected_resource_metadata("https://a.example", []) == {
        "resource": "https://a.example",
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    ("resource", "server", "scope"),
    [
        ("http://mail.example", "https://login.example", "a"),
        ("https://mail.example#x", "https://login.example", "a"),
        ("https://mail.example#", "https://login.example", "a"),
        ("mail", "https://login.example", "a"),
        ("https://mail.example", "login", "a"),
        ("https://mail.example", "https://login.example", "a b"),
        ("https://mail.example:0", "https://login.example", "a"),
        ("https://mail.example:x", "https://login.example", "a"),
        ("https://", "https://login.example", "a"),
    ],
)
def test_what_is_refused(resource, server, scope):
    with pytest.raises(UsageError):
        protected_resource_metadata(resource, [server], scopes=[scope])
