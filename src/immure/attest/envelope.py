"""The DSSE envelope, version 1: bytes of a stated type, and signatures over both.

>>> pae("http://example.com/HelloWorld", b"hello world")
b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'

As the DSSE specification (1.0.2) has it, ``keyid`` is an unsigned hint and may be missing, members that are
not known are passed over, and base64 may be of either alphabet. Nothing of an envelope means anything before
its signatures are verified (:mod:`immure.attest.verify`).
"""

from __future__ import annotations

import binascii
from base64 import b64encode
from dataclasses import dataclass
from typing import Final, NamedTuple

from immure.attest.fields import Fields
from immure.attest.reasons import Reason, refusal
from immure.attest.strict_json import parse_json, to_json

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
#: Bytes of the largest envelope, and most signatures in it.
MAX_BYTES: Final = 64 << 20
MAX_SIGNATURES: Final = 32
_MAX_SIGNATURE_CHARS: Final = 4096  # RSA-16384 takes 2,732
_MAX_ELEMENTS: Final = 1000
_URL_SAFE: Final = str.maketrans("-_", "+/")


class EnvelopeSignature(NamedTuple):
    """A signature, and the name of the key that is said to have made it (empty: not said)."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an envelope holds; not verified."""

    payload: bytes
    payload_type: str
    signatures: tuple[EnvelopeSignature, ...]

    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload_type, self.payload)

    def to_bytes(self) -> bytes:
        """The envelope as JSON.

        Raises:
            AttestationError: it would be larger than any verifier takes.
        """
        signatures = [{"keyid": one.keyid, "sig": _base64(one.sig)} for one in self.signatures]
        payload = _base64(self.payload)
        data = to_json({"payload": payload, "payloadType": self.payload_type, "signatures": signatures})
        if len(data) > MAX_BYTES:
            raise refusal(Reason.TOO_LARGE, f"{len(data)} bytes; an envelope has at most {MAX_BYTES}")
        return data


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding (DSSE protocol, "Signature Definition")."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_envelope(data: bytes) -> Envelope:
    """The envelope in ``data``.

    Raises:
        AttestationError: it is larger than :data:`MAX_BYTES`, or is not an envelope.
    """
    if len(data) > MAX_BYTES:
        raise refusal(Reason.TOO_LARGE, f"an envelope has at most {MAX_BYTES} bytes")
    fields = Fields(parse_json(data, most_elements=_MAX_ELEMENTS), "", Reason.NOT_ENVELOPE)
    payload = _bytes(fields, "payload", MAX_BYTES)
    payload_type = fields.text("payloadType", 256)
    listed = fields.take("signatures")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
        raise fields.error("signatures", f"is not a list of 1 to {MAX_SIGNATURES} signatures")
    signatures = tuple(_signature(one, f"signatures[{number}]") for number, one in enumerate(listed))
    named = [one.keyid for one in signatures if one.keyid]
    if len(set(named)) != len(named):
        raise fields.error("signatures", "names a key twice")
    return Envelope(payload, payload_type, signatures)


def _signature(value: object, where: str) -> EnvelopeSignature:
    fields = Fields(value, where, Reason.NOT_ENVELOPE)
    keyid = fields.text("keyid", 256, least=0) if fields.has("keyid") else ""
    return EnvelopeSignature(keyid, _bytes(fields, "sig", _MAX_SIGNATURE_CHARS))


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _bytes(fields: Fields, name: str, most: int) -> bytes:
    """Base64 (RFC 4648, section 4 or 5, not a mixture), padded, with zeros in bits that do not count."""
    text = fields.text(name, most, least=0)
    standard = text.translate(_URL_SAFE) if "+" not in text and "/" not in text else text
    try:
        data = binascii.a2b_base64(standard, strict_mode=True)
    except ValueError:  # binascii.Error is one; so is what is raised for characters beyond ASCII
        raise refusal(Reason.NOT_BASE64, fields.place(name)) from None
    if _base64(data) != standard:
        raise refusal(Reason.NOT_BASE64, fields.place(name))
    return data
