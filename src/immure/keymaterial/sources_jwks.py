"""JWK Sets and single JWKs as sources of public keys (RFC 7517)."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from immure.errors import KeyFormatError, KeySourceError
from immure.keymaterial.certificate import Certificate, parse_certificate
from immure.keymaterial.jwk import is_private_jwk, jwk_public
from immure.keymaterial.key import Origin
from immure.keymaterial.loaded import Collector

_MAX_TEXT = 1024
_ASYMMETRIC = ("RSA", "EC", "OKP")


def parse_json(data: bytes, source: str) -> Any:
    """Decoded JSON; raises KeySourceError if it is none, or is nested too deeply."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise KeySourceError("is not valid JSON", path=source) from None


def collect_json(document: Any, into: Collector, issuer: str | None = None) -> None:
    """Takes the keys of a JWK Set, a list of JWKs, or one JWK; ``issuer`` is that of keys that name none."""
    if isinstance(document, dict) and isinstance(document.get("keys"), list):
        members = document["keys"]
    elif isinstance(document, list):
        members = document
    elif isinstance(document, dict) and "kty" in document:
        members = [document]
    elif isinstance(document, dict) and "jwks_uri" in document:
        into.note("is a discovery document: give its issuer's URL instead")
        return
    else:
        into.note("is JSON, but not a JWK or a JWK Set")
        return
    for number, member in enumerate(members, 1):
        where = f"key {number}" if len(members) > 1 else ""
        if isinstance(member, dict):
            _collect_jwk(member, where, into, issuer)
        else:
            into.note(f"{where or 'key 1'}: not a JSON object")


def _collect_jwk(jwk: Mapping[str, Any], where: str, into: Collector, issuer: str | None) -> None:
    kty, kid = jwk.get("kty"), _text(jwk, "kid")
    where = f"{where} (kid {kid!r})" if where and kid else where
    prefix = f"{where}: " if where else ""
    if kty == "oct":
        into.note(f"{prefix}a symmetric key, which has no public half: left out")
        return
    if kty not in _ASYMMETRIC:
        into.note(f"{prefix}a key of an unknown type: left out")
        return
    try:
        numbers = jwk_public(jwk)
    except KeyFormatError as error:
        into.problem(error.reason, where)
        return
    if is_private_jwk(jwk):
        into.note(f"{prefix}holds a PRIVATE key; only its public half is used")
    origin = Origin(
        source=into.source,
        kid=kid,
        issuer=_text(jwk, "issuer") or issuer,
        cloud_instance_name=_text(jwk, "cloud_instance_name"),
        use=_text(jwk, "use"),
        alg=_text(jwk, "alg"),
    )
    certificate = _first_certificate(jwk, prefix, into)
    if certificate is not None:
        if certificate.numbers != numbers:
            into.note(f"{prefix}its certificate (x5c) is for another key")
        else:
            origin = replace(origin, not_before=certificate.not_before, not_after=certificate.not_after)
    into.add(numbers, origin)


def _first_certificate(jwk: Mapping[str, Any], prefix: str, into: Collector) -> Certificate | None:
    """The first certificate of ``x5c`` (RFC 7517, section 4.7: base64, not base64url)."""
    chain = jwk.get("x5c")
    if chain is None:
        return None
    if isinstance(chain, list) and chain and isinstance(chain[0], str):
        try:
            return parse_certificate(binascii.a2b_base64(chain[0], strict_mode=True))
        except (KeyFormatError, ValueError):  # ValueError: not base64, or not ASCII
            pass  # the note below is the answer to both
    into.note(f"{prefix}its certificate (x5c) cannot be read")
    return None


def _text(jwk: Mapping[str, Any], name: str) -> str | None:
    """A member that is a text of sane length."""
    value = jwk.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None
