"""The public half of a key on a token: from the public key object beside it, or its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from immure.errors import KeyFormatError, SignerError
from immure.keymaterial import der
from immure.keymaterial.certificate import parse_certificate
from immure.keymaterial.curves import CURVE_BY_OID
from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.keymaterial.numbers import checked_okp, checked_point, checked_rsa

if TYPE_CHECKING:
    from pkcs11 import Session

_ED25519_POINT_BYTES = 32


def read_public(session: Session, private: Any, path: str) -> PublicKey:
    """The public half of ``private``; ``path`` is what errors name.

    That both belong together is not known here: a signature will show it.

    Raises:
        SignerError: there is none on the token, or its numbers are refused.
    """
    refused: KeyFormatError | None = None
    for partner in _partners(session, private):
        try:
            numbers = _numbers(partner)
        except KeyFormatError as error:
            refused = error
        else:
            if numbers is not None:
                return PublicKey(numbers, Origin(path))
    if refused is not None:
        raise SignerError(f"its public half is refused: {refused.reason}", path=path)
    raise SignerError("the token has no public key and no certificate of the key's id and label", path=path)


def _partners(session: Session, private: Any) -> Iterator[Any]:
    """Public keys, then certificates, of the private key's id (or label, if it has no id); then itself."""
    from pkcs11 import Attribute, ObjectClass

    identity, label = attribute(private, Attribute.ID), attribute(private, Attribute.LABEL)
    same = {Attribute.ID: identity} if identity else {Attribute.LABEL: label}
    for kind in (ObjectClass.PUBLIC_KEY, ObjectClass.CERTIFICATE):
        yield from session.get_objects({Attribute.CLASS: kind, **same})
    yield private  # an RSA private key may know its public numbers


def attribute(thing: Any, name: Any) -> Any:
    """An attribute of an object on a token, None if it has none of that name."""
    from pkcs11.exceptions import AttributeSensitive, AttributeTypeInvalid

    with suppress(AttributeSensitive, AttributeTypeInvalid):
        return thing[name]
    return None


def _numbers(thing: Any) -> Numbers | None:
    """Public numbers in the attributes of an object; None if they are not there."""
    from pkcs11 import Attribute

    certificate = attribute(thing, Attribute.VALUE) if _is_certificate(thing) else None
    if certificate is not None:
        return parse_certificate(bytes(certificate)).numbers
    modulus, exponent = attribute(thing, Attribute.MODULUS), attribute(thing, Attribute.PUBLIC_EXPONENT)
    if modulus and exponent:
        return checked_rsa(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))
    parameters, point = attribute(thing, Attribute.EC_PARAMS), attribute(thing, Attribute.EC_POINT)
    if parameters and point:
        return ec_numbers(bytes(parameters), bytes(point))
    return None


def _is_certificate(thing: Any) -> bool:
    from pkcs11 import Attribute, ObjectClass

    return bool(attribute(thing, Attribute.CLASS) == ObjectClass.CERTIFICATE)


def ec_numbers(parameters: bytes, point: bytes) -> Numbers:
    """The numbers of CKA_EC_PARAMS and CKA_EC_POINT (PKCS#11 v3.0, section 2.3.3 and 2.3.5).

    A point should be a DER OCTET STRING; some tokens give the bare bytes. Ed25519 is named by its object
    identifier (RFC 8410) or by the PrintableString ``edwards25519``.

    Raises:
        KeyFormatError: an unknown curve, or no point of it.
    """
    curve = (
        CURVE_BY_OID.get(der.Der(parameters).take(der.OID)) if parameters[:1] == bytes([der.OID]) else None
    )
    if curve is not None:
        return checked_point(curve, _octets(point, 2 * curve.size + 1))
    if parameters in (bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519"):
        return checked_okp("Ed25519", _octets(point, _ED25519_POINT_BYTES))
    raise KeyFormatError("unknown elliptic curve")


def _octets(point: bytes, bare: int) -> bytes:
    """The encoded point, out of its OCTET STRING unless it is bare already."""
    if len(point) == bare:
        return point
    outer = der.Der(point)
    content = outer.take(der.OCTETS)
    outer.finish()
    return content
