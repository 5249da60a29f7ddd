"""The service as an OpenAPI 3.1 document: every endpoint, parameter and status of its issuers.

The shapes of what is sent and answered are in :mod:`.openapi_schemas`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from immure.signing.discovery import metadata
from immure.signing.openapi_schemas import SCHEMAS, parameters_of
from immure.signing.settings import Issuer, Settings

_WORDS: Final = (
    "Issuers of tokens, each with keys of its own. No token leaves before its row is in the issuance ledger. "
    "Clients prove who they are by HTTP Basic, by a signed assertion (RFC 7523: client_assertion and "
    "client_assertion_type in the form), or by a TLS certificate (RFC 8705). Errors are those of RFC 6749, "
    "section 5.2; what is no HTTP is answered by the server with text."
)
_SECURITY: Final[list[dict[str, list[str]]]] = [{"basic": []}, {"certificate": []}, {}]
_FORM: Final = "application/x-www-form-urlencoded"
_PROBLEMS: Final = {
    400: "The request is malformed, or nothing is given for it.",
    401: "Who asks is no client of this issuer, or did not prove it.",
    405: "The endpoint does not know the method.",
    413: "The body is longer than 64 KiB.",
    415: "The body is no form.",
    503: "No key, no key holder, or no ledger: nothing was given. Try again.",
}


def document(settings: Settings, version: str = "1") -> dict[str, Any]:
    """The document; JSON as it stands.

    Args:
        version: of the interface.
    """
    paths: dict[str, Any] = {}
    for name, issuer in settings.issuers.items():
        paths |= _issuer(settings, name, issuer)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Immure signing service", "version": version, "description": _WORDS},
        "servers": [{"url": "/"}],
        "paths": {**paths, **_service(settings)},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "The client's name and secret."},
                "certificate": {"type": "mutualTLS", "description": "The client's certificate."},
            },
        },
    }


def _issuer(settings: Settings, name: str, issuer: Issuer) -> dict[str, Any]:
    base, given = issuer.path, metadata(settings, name)
    paths = {
        f"{base}/token": {"post": _token(name, given)},
        f"{base}/revoke": {"post": _posted(name, "revoke", "Revoke a token (RFC 7009).", "TokenShown", None)},
        f"{base}/introspect": {
            "post": _posted(
                name, "introspect", "Ask about a token (RFC 7662).", "TokenShown", "Introspection"
            )
        },
        f"{base}/jwks": _read(name, "jwks", "The key set (RFC 7517).", "KeySet", "application/jwk-set+json"),
    }
    for place, path in (
        ("openid-configuration", f"{base}/.well-known/openid-configuration"),
        ("oauth-authorization-server", f"/.well-known/oauth-authorization-server{base}"),
    ):
        paths[path] = _read(name, place, "Discovery (OpenID Connect, RFC 8414).", "Metadata")
    if "authorization_endpoint" in given:
        paths |= {
            f"{base}/authorize": _browser(name, "authorize", "Sign somebody in.", "Authorization", read=True),
            f"{base}/sign-in": _browser(name, "sign-in", "What the form sends.", "SignIn", read=False),
            f"{base}/end-session": _browser(name, "end-session", "Sign out.", "EndSession", read=True),
        }
    return paths


def _service(settings: Settings) -> dict[str, Any]:
    paths = {
        "/healthz": _read("service", "healthz", "Whether the process answers.", "Status"),
        "/readyz": _read("service", "readyz", "Whether every issuer has a key that signs.", "Status"),
        "/openapi.json": _read("service", "openapi", "This document.", "OpenApi"),
    }
    if settings.metrics:
        paths["/metrics"] = _read("service", "metrics", "Counters, for Prometheus.", "Text", "text/plain")
    return paths


def _token(name: str, given: dict[str, Any]) -> dict[str, Any]:
    made = _posted(name, "token", "Ask for a token (RFC 6749, section 3.2).", "TokenRequest", "TokenResponse")
    kinds = {"type": "string", "enum": given["grant_types_supported"]}
    body = made["requestBody"]["content"][_FORM]
    body["schema"] = {"allOf": [body["schema"], {"properties": {"grant_type": kinds}}]}
    proof = {"type": "string", "maxLength": 8192}
    words = "A proof of the key that the token is to be bound to (RFC 9449)."
    made["parameters"] = [{"name": "DPoP", "in": "header", "schema": proof, "description": words}]
    return made


def _posted(name: str, place: str, words: str, sent: str, answered: str | None) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done.", "headers": _headers("Cache-Control")}
    if answered is not None:
        good["content"] = {"application/json": {"schema": _ref(answered)}}
    return {
        "operationId": f"{name}-{place}",
        "tags": [name],
        "summary": words,
        "security": _SECURITY,
        "requestBody": {"required": True, "content": {_FORM: {"schema": _ref(sent)}}},
        "responses": {"200": good, **_problems(_PROBLEMS)},
    }


def _read(name: str, place: str, words: str, answered: str, kind: str = "application/json") -> dict[str, Any]:
    good = {
        "description": "As it is now.",
        "headers": _headers("Cache-Control"),
        "content": {kind: {"schema": _ref(answered)}},
    }
    made: dict[str, Any] = {
        "tags": [name],
        "summary": words,
        "responses": {"200": good, **_problems((405, 503))},
    }
    return {
        "get": {"operationId": f"{name}-{place}", **made},
        "head": {
            "operationId": f"{name}-{place}-head",
            **made,
            "responses": {**made["responses"], "200": {k: v for k, v in good.items() if k != "content"}},
        },
    }


def _browser(name: str, place: str, words: str, sent: str, *, read: bool) -> dict[str, Any]:
    page = {"text/html": {"schema": _ref("Text")}}
    responses: dict[str, Any] = {
        "200": {"description": "A page.", "content": page},
        "303": {"description": "On to the client, or the next page.", "headers": _headers("Location")},
        "400": {"description": "A page: the request cannot be answered to a client.", "content": page},
        "403": {"description": "The form once more: name or password is wrong.", "content": page},
        **_problems((405, 413, 503)),
    }
    made: dict[str, Any] = {"tags": [name], "summary": words, "responses": responses}
    form = {"required": True, "content": {_FORM: {"schema": _ref(sent)}}}
    methods = {"post": {"operationId": f"{name}-{place}-form", **made, "requestBody": form}}
    if read:
        methods["get"] = {"operationId": f"{name}-{place}", **made, "parameters": parameters_of(sent)}
    return methods


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    headers = {401: "WWW-Authenticate", 405: "Allow", 503: "Retry-After"}
    content = {"application/json": {"schema": _ref("Error")}}
    return {
        str(one): {
            "description": _PROBLEMS[one],
            "content": content,
            "headers": _headers("Cache-Control", *([headers[one]] if one in headers else [])),
        }
        for one in statuses
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}, "required": True} for name in names}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
