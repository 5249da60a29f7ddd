"""Key records as plain values: the same form in TOML, in SQLite and in JSON for people.

>>> import json
>>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
>>> history = [{"state": "active", "at": "2026-01-01T00:00:00Z"}]
>>> record = from_plain(Members({"kid": "k1", "jwk": jwk, "history": history}, "key", "example"))
>>> to_plain(record)["thumbprint"]
'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from immure.clock import to_rfc3339
from immure.errors import InputError, KeyFormatError
from immure.keymaterial.jwk import jwk_public
from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.registry.errors import RegistryError
from immure.registry.members import Members
from immure.registry.record import MOST_CHANGES, KeyRecord, StateChange
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

#: Members of a public JWK that are kept; with any other one it is refused, the private ones above all.
_JWK_MEMBERS = frozenset({"kty", "n", "e", "crv", "x", "y"})
#: Characters of the longest public key as PEM (RSA of 16,384 bits has some 3,000).
_MOST_PEM = 16_384


def to_plain(record: KeyRecord) -> dict[str, Any]:
    """The record as JSON could have it, without members that say nothing. Times are texts (RFC 3339)."""
    origin = record.key.origin
    plain: dict[str, Any] = {
        "kid": record.kid,
        "thumbprint": record.thumbprint,
        "jwk": record.key.to_jwk(),
        "source": origin.source,
    }
    certificate = _without_none(not_before=_text(origin.not_before), not_after=_text(origin.not_after))
    if certificate:
        plain["certificate"] = certificate
    if record.scope is not None:
        plain["scope"] = scope_to_plain(record.scope)
    plain["history"] = [change_to_plain(change) for change in record.history]
    return plain


def scope_to_plain(scope: KeyScope) -> dict[str, Any]:
    """A scope in the same form."""
    lists = {
        name: sorted(getattr(scope, name)) for name in ("audience_classes", "tenants", "clouds", "algorithms")
    }
    return {
        "issuer": scope.issuer,
        **{name: names for name, names in lists.items() if names},
        **_without_none(not_before=_text(scope.not_before), not_after=_text(scope.not_after)),
    }


def change_to_plain(change: StateChange) -> dict[str, Any]:
    """A change of state in the same form."""
    plain: dict[str, Any] = {"state": change.state.value, "at": to_rfc3339(change.at)}
    plain |= {name: text for name, text in (("reason", change.reason), ("by", change.by)) if text}
    return plain | _without_none(since=_text(change.since))


def from_plain(members: Members) -> KeyRecord:
    """A record out of such a form, all of whose members must be known.

    Raises:
        RegistryError: (all of its kinds) something is malformed, unknown, or contradicts itself.
    """
    kid = members.text("kid")
    members.where = f"[key {kid!r}]"
    key = _public(members)
    origin = _origin(members, kid, key.origin)
    scope = members.table("scope")
    history = members.tables("history", MOST_CHANGES)
    thumbprint = members.text("thumbprint", "")
    members.done()
    key = PublicKey(key.numbers, origin)
    if thumbprint not in ("", key.thumbprint):
        raise members.fail(f"has the thumbprint {key.thumbprint}, and not the one that is written there")
    try:
        parts = None if scope is None else scope_from_plain(scope), tuple(map(change_from_plain, history))
        return KeyRecord(key, kid, *parts)
    except RegistryError as error:
        if error.path is not None:
            raise
        raise type(error)(f"{members.where} {error.reason}", path=members.path) from error


def scope_from_plain(members: Members) -> KeyScope:
    """A scope out of such a form; whether it fits a key is checked with the key."""
    scope = KeyScope(
        members.text("issuer"),
        members.texts("audience_classes"),
        members.texts("tenants"),
        members.texts("clouds"),
        members.texts("algorithms"),
        members.moment("not_before"),
        members.moment("not_after"),
    )
    members.done()
    return scope


def change_from_plain(members: Members) -> StateChange:
    """A change of state out of such a form."""
    name = members.text("state")
    at = members.moment("at")
    reason, by, since = members.text("reason", ""), members.text("by", ""), members.moment("since")
    members.done()
    if at is None:
        raise members.fail("has no 'at'")
    try:
        return StateChange(KeyState(name), at, reason, by, since)
    except ValueError:
        states = ", ".join(state.value for state in KeyState)
        raise members.fail(f"'state' is none of {states}") from None


def _origin(members: Members, kid: str, read: Origin) -> Origin:
    """Where the key is from, and when its certificate is valid: as the form says, else as ``pem`` does."""
    source = members.text("source", members.path)
    certificate = members.table("certificate")
    if certificate is None:
        return Origin(source, kid, not_before=read.not_before, not_after=read.not_after)
    valid = certificate.moment("not_before"), certificate.moment("not_after")
    certificate.done()
    return Origin(source, kid, not_before=valid[0], not_after=valid[1])


def _public(members: Members) -> PublicKey:
    jwk, pem = members.value("jwk", None), members.value("pem", None)
    if (jwk is None) == (pem is None):
        raise members.fail("needs 'jwk' or 'pem', and not both")
    if jwk is None:
        return _from_pem(pem, members)
    try:
        return PublicKey(_from_jwk(jwk, members), Origin(members.path))
    except KeyFormatError as error:
        raise members.fail(f"is no key: {error.reason}") from error


def _from_jwk(jwk: Any, members: Members) -> Numbers:
    if not isinstance(jwk, dict):
        raise members.fail("'jwk' is not a table")
    for name in jwk:
        if name not in _JWK_MEMBERS:  # never quoted with its value: it may be a private key
            raise members.fail(f"'jwk' has a member {name[:80]!r}: only the public half belongs here")
    return jwk_public(jwk)


def _from_pem(pem: Any, members: Members) -> PublicKey:
    from immure.keymaterial.sources_files import parse_keys

    is_text = isinstance(pem, str) and len(pem) <= _MOST_PEM and pem.isascii()
    if not is_text or "PRIVATE" in pem or "-----BEGIN" not in pem:
        raise members.fail("'pem' is not the text of a public key or certificate")
    try:
        loaded = parse_keys(pem.encode("ascii"), members.path)
    except InputError as error:
        raise members.fail(f"'pem': {error.reason}") from error
    if len(loaded.keys) != 1:
        raise members.fail("'pem' holds more than one key")
    return loaded.keys[0]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def _without_none(**members: str | None) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}
