"""Shapes of what is sent to the signing service, and answered, for its OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_TRUTH: Final[dict[str, Any]] = {"type": "boolean"}
_ADDRESS: Final[dict[str, Any]] = {"type": "string", "format": "uri"}
_TOKEN: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
}
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"


def _object(required: tuple[str, ...], properties: dict[str, Any], *, more: bool = True) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "required": list(required)}
    return made if more else {**made, "additionalProperties": False}


#: How a client says who it is, if not in a header.
_CLIENT: Final[dict[str, Any]] = {
    "client_id": _TEXT,
    "client_assertion_type": {"type": "string", "const": _ASSERTION},
    "client_assertion": _TEXT,
}

SCHEMAS: Final[dict[str, Any]] = {
    "TokenRequest": _object(
        ("grant_type",),
        {
            **_CLIENT,
            "grant_type": _TEXT,
            "scope": {**_TEXT, "description": "Scopes, with spaces between them."},
            "resource": {**_TEXT, "description": "The audience (RFC 8707); one."},
            "audience": {**_TEXT, "description": "The same (RFC 8693)."},
            "code": _TEXT,
            "redirect_uri": _TEXT,
            "code_verifier": {"type": "string", "minLength": 43, "maxLength": 128},
            "refresh_token": _TEXT,
            "subject_token": _TEXT,
            "subject_token_type": {"type": "string", "enum": [_ACCESS, _JWT]},
            "requested_token_type": {"type": "string", "enum": [_ACCESS, _JWT]},
            "assertion": {**_TEXT, "description": "Of another issuer (RFC 7523, section 2.1)."},
        },
    ),
    "TokenResponse": _object(
        ("access_token", "token_type", "expires_in"),
        {
            "access_token": {**_TOKEN, "description": "RFC 9068."},
            "token_type": {"type": "string", "enum": ["Bearer", "DPoP"]},
            "expires_in": _COUNT,
            "scope": _TEXT,
            "id_token": _TOKEN,
            "refresh_token": _TEXT,
            "issued_token_type": {"type": "string", "const": _ACCESS},
        },
        more=False,
    ),
    "TokenShown": _object(("token",), {**_CLIENT, "token": _TEXT, "token_type_hint": _TEXT}),
    "Introspection": _object(
        ("active",),
        {
            "active": _TRUTH,
            "token_type": {"type": "string", "enum": ["Bearer", "DPoP"]},
            "iss": _ADDRESS,
            "sub": _TEXT,
            "aud": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
            "client_id": _TEXT,
            "iat": _COUNT,
            "exp": _COUNT,
            "scope": _TEXT,
            "cnf": {"type": "object"},
        },
    ),
    "Error": _object(
        ("error", "error_description"), {"error": _TEXT, "error_description": _TEXT}, more=False
    ),
    "KeySet": _object(
        ("keys",),
        {
            "keys": {
                "type": "array",
                "items": _object(
                    ("kty", "kid", "issuer", "audience_classes"),
                    {
                        "kty": {"type": "string", "enum": ["RSA", "EC", "OKP"]},
                        "kid": _TEXT,
                        "alg": _TEXT,
                        "issuer": _ADDRESS,
                        "audience_classes": {"type": "array", "items": _TEXT, "minItems": 1},
                    },
                ),
            }
        },
        more=False,
    ),
    "Metadata": _object(
        ("issuer", "token_endpoint", "jwks_uri", "grant_types_supported"),
        {
            "issuer": _ADDRESS,
            "token_endpoint": _ADDRESS,
            "jwks_uri": _ADDRESS,
            "grant_types_supported": {"type": "array", "items": _TEXT},
        },
    ),
    "Authorization": _object(
        ("client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method"),
        {
            "client_id": _TEXT,
            "redirect_uri": _TEXT,
            "response_type": {"type": "string", "const": "code"},
            "response_mode": {"type": "string", "const": "query"},
            "code_challenge": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
            "code_challenge_method": {"type": "string", "const": "S256"},
            "dpop_jkt": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
            "scope": _TEXT,
            "state": _TEXT,
            "nonce": _TEXT,
            "resource": _TEXT,
            "prompt": _TEXT,
            "max_age": _TEXT,
        },
    ),
    "SignIn": _object(
        ("request", "guard", "name", "password"),
        {
            "request": {**_TEXT, "description": "The query that led to the form."},
            "guard": {**_TEXT, "description": "The value of the cookie that came with the form."},
            "name": _TEXT,
            "password": {"type": "string", "format": "password"},
        },
    ),
    "EndSession": _object(
        (),
        {
            "id_token_hint": _TEXT,
            "client_id": _TEXT,
            "post_logout_redirect_uri": _TEXT,
            "state": _TEXT,
            "guard": _TEXT,
        },
    ),
    "Status": _object(("status",), {"status": _TEXT}, more=False),
    "OpenApi": _object(("openapi", "paths"), {"openapi": _TEXT, "paths": {"type": "object"}}),
    "Text": _TEXT,
}


def parameters_of(name: str) -> list[dict[str, Any]]:
    """The members of a shape, as parameters of a query."""
    shape = SCHEMAS[name]
    return [
        {"name": one, "in": "query", "required": one in shape["required"], "schema": inner}
        for one, inner in shape["properties"].items()
    ]
