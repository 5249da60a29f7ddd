"""What is audited: the keys of one document or registry, each with what the document says of it.

Other than :func:`immure.keymaterial.sources.load_keys`, which leaves out what it cannot use, this keeps every
member of a set: what cannot be used is a finding.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from immure.errors import KeyFormatError
from immure.keymaterial.certificate import Certificate, parse_certificate
from immure.keymaterial.jwk import jwk_public
from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.registry.finding import AuditFinding, Severity, finding
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_ASYMMETRIC: Final = ("RSA", "EC", "OKP")
_MOST_TEXT: Final = 1024
_LATEST: Final = 253_402_300_799  # the end of the year 9999


@dataclass
class Entry:
    """One key of a document.

    Attributes:
        place: where it stands in it, counted from 1.
        key: None if there is none that can be used; then ``problems`` say why.
        born: when it began to be used, as far as known: a certificate's begin, or its activation.
        problems: what was found when it was read.
        record: if it is out of a registry.
    """

    place: int
    source: str
    kid: str | None = None
    key: PublicKey | None = None
    issuer: str | None = None
    clouds: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    alg: str | None = None
    signs: bool = True
    not_before: datetime | None = None
    not_after: datetime | None = None
    born: datetime | None = None
    problems: list[AuditFinding] = field(default_factory=list)
    record: KeyRecord | None = None

    @property
    def thumbprint(self) -> str | None:
        """Its RFC 7638 thumbprint, if it is a key."""
        return self.key.thumbprint if self.key is not None else None

    def finding(
        self, code: str, words: str, *, permits: str = "", severity: Severity | None = None
    ) -> AuditFinding:
        """A finding about this key."""
        named = words if self.kid is not None else f"key {self.place}: {words}"
        return finding(
            code,
            self.source,
            named,
            kid=self.kid,
            thumbprint=self.thumbprint,
            permits=permits,
            severity=severity,
        )

    def problem(self, code: str, words: str, **more: Any) -> None:
        """Note a finding of the reader's."""
        self.problems.append(self.finding(code, words, **more))


def entry_of_record(record: KeyRecord, place: int, source: str) -> Entry:
    """An entry for a key of a registry."""
    scope, origin = record.scope, record.key.origin
    born = record.activated_at
    return Entry(
        place,
        source,
        record.kid,
        record.key,
        issuer=record.issuer,
        clouds=scope.clouds if scope else frozenset(),
        classes=scope.audience_classes if scope else frozenset(),
        not_before=scope.not_before if scope else None,
        not_after=scope.not_after if scope else None,
        born=min((one for one in (born, origin.not_before) if one is not None), default=None),
        record=record,
    )


def entry_of_key(key: PublicKey, place: int, source: str) -> Entry:
    """An entry for a key out of a PEM file, certificate and the like."""
    origin = key.origin
    return Entry(place, source, origin.kid, key, not_before=origin.not_before, not_after=origin.not_after,
                 born=origin.not_before)  # fmt: skip


def entry_of_jwk(jwk: Any, place: int, source: str) -> Entry:
    """An entry for a member of a JWK Set, whatever it is."""
    entry = Entry(place, source)
    if not isinstance(jwk, dict):
        entry.problem("malformed", "is not a JSON object")
        return entry
    entry.kid = _text(jwk, "kid", entry)
    kty = jwk.get("kty")
    if kty == "oct":
        entry.problem("symmetric", "is symmetric, and its value stands in this document" if "k" in jwk else
                      "is symmetric")  # fmt: skip
    elif kty not in _ASYMMETRIC:
        entry.problem("unknown-type", "is of a type that is not known here")
    else:
        _read_key(jwk, entry)
    return entry


def _read_key(jwk: Mapping[str, Any], entry: Entry) -> None:
    try:
        numbers = jwk_public(jwk)
    except KeyFormatError as error:
        if jwk.get("kty") == "RSA" and jwk.get("e") == "AQ":
            entry.problem("small-exponent", "RSA exponent 1", severity="high",
                          permits="anybody to sign: the signature is the padded message itself")  # fmt: skip
        else:
            entry.problem("malformed", error.reason)
        return
    entry.key = PublicKey(numbers, Origin(entry.source, entry.kid))
    if _PRIVATE & jwk.keys():
        entry.problem("private", "holds a PRIVATE key")
    entry.issuer = _text(jwk, "issuer", entry)
    cloud = _text(jwk, "cloud_instance_name", entry)
    entry.clouds = frozenset() if cloud is None else frozenset({cloud})
    entry.classes = _classes(jwk, entry)
    entry.alg = _text(jwk, "alg", entry)
    use = _text(jwk, "use", entry)
    entry.signs = use in (None, "sig")
    _read_times(jwk, numbers, entry)
    if "revoked" in jwk:
        entry.problem("revoked", "is marked as revoked, and still there")


def _read_times(jwk: Mapping[str, Any], numbers: Numbers, entry: Entry) -> None:
    begins, ends = [_moment(jwk, "nbf", entry)], [_moment(jwk, "exp", entry)]
    certificate = _first_certificate(jwk, entry)
    if certificate is not None and certificate.numbers != numbers:
        entry.problem("wrong-certificate", "its certificate (x5c) is for another key")
    elif certificate is not None:
        begins.append(certificate.not_before)
        ends.append(certificate.not_after)
        entry.born = certificate.not_before
    entry.not_before = max((one for one in begins if one is not None), default=None)
    entry.not_after = min((one for one in ends if one is not None), default=None)


def _first_certificate(jwk: Mapping[str, Any], entry: Entry) -> Certificate | None:
    chain = jwk.get("x5c")
    if chain is None:
        return None
    if isinstance(chain, list) and chain and isinstance(chain[0], str):
        try:
            return parse_certificate(binascii.a2b_base64(chain[0], strict_mode=True))
        except (KeyFormatError, ValueError):  # ValueError: not base64, or not ASCII
            pass  # the finding below is the answer to both
    entry.problem("malformed", "its certificate (x5c) cannot be read")
    return None


def _moment(jwk: Mapping[str, Any], name: str, entry: Entry) -> datetime | None:
    value = jwk.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        entry.problem("malformed", f"'{name}' is not a time")
        return None
    return datetime.fromtimestamp(value, UTC)


def _classes(jwk: Mapping[str, Any], entry: Entry) -> frozenset[str]:
    value = jwk.get("audience_classes", [])
    if isinstance(value, list) and len(value) <= _MOST_TEXT and all(isinstance(one, str) for one in value):
        return frozenset(value)
    entry.problem("malformed", "'audience_classes' is not a list of texts")
    return frozenset()


def _text(jwk: Mapping[str, Any], name: str, entry: Entry) -> str | None:
    value = jwk.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        entry.problem("malformed", f"'{name}' is not a text of sane length")
        return None
    return value


#: What it means that a key in this state is in a published set.
PUBLISHED_STATES: Final = {
    KeyState.COMPROMISED: "published-compromised",
    KeyState.DESTROYED: "published-destroyed",
    KeyState.SUSPENDED: "published-suspended",
    KeyState.DEACTIVATED: "published-retired",
    KeyState.PRE_ACTIVE: "published-early",
}
