"""What a PKCS#12 file (RFC 7292) is made of, in DER or BER: keys, and what is hidden under a password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from immure.errors import KeyFormatError
from immure.keymaterial.asn1 import read_pkcs8
from immure.keymaterial.ber import joined_octets, to_der
from immure.keymaterial.der import OCTETS, OID, SEQUENCE, Der, encode
from immure.keymaterial.derivation import Password
from immure.keymaterial.pbe import RC2_40, Code, Encryption, read_code, read_encryption
from immure.keymaterial.private import PrivateKey

_PKCS7: Final = bytes.fromhex("2a864886f70d0107")
_DATA, _ENCRYPTED = _PKCS7 + b"\x01", _PKCS7 + b"\x06"
_BAG: Final = bytes.fromhex("2a864886f70d010c0a01")
_KEY_BAG, _SHROUDED_BAG, _NESTED_BAGS = (_BAG + bytes([number]) for number in (1, 2, 6))
_EXPLICIT: Final = 0xA0
_IMPLICIT: Final = 0x80
UNKNOWN_CIPHER: Final = "what hides its keys is not known here"
UNKNOWN_KEY: Final = "a key in it is of a kind that is not known here"


@dataclass(frozen=True, slots=True)
class Hidden:
    """Something under a password: bags, or one key.

    Attributes:
        encryption, content: how it is encrypted, and to what.
        is_key: whether it is a key, and ``whole`` its EncryptedPrivateKeyInfo.
    """

    encryption: Encryption
    content: bytes
    is_key: bool
    whole: bytes

    @property
    def can_check(self) -> bool:
        """Whether opening it tells if a password is right."""
        return self.is_key or self.encryption.cipher != RC2_40

    def open(self, password: Password) -> bytes:
        """What is in it, as DER.

        Raises:
            KeyFormatError: the password is another one.
        """
        if self.encryption.cipher == RC2_40 and self.is_key:
            plain = _key_by_library(self.whole, password)
        else:
            plain = self.encryption.decrypt(password, self.content)
        der, end = to_der(plain)
        if end != len(plain) or der[0] != SEQUENCE:
            raise KeyFormatError("another password, or nothing of PKCS#12")
        return der


def _key_by_library(whole: bytes, password: Password) -> bytes:
    """The PrivateKeyInfo in an EncryptedPrivateKeyInfo."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_der_private_key(whole, (password or "").encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("another password, or a key of an unknown kind") from error
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


class Contents:
    """What is in a file, as far as it is open.

    Attributes:
        keys: private keys; their arithmetic holds.
        hidden: what takes a password.
        unknown: what there is to say of parts that are not understood, empty if there are none.
    """

    def __init__(self) -> None:
        self.keys: list[PrivateKey] = []
        self.hidden: list[Hidden] = []
        self.unknown = ""

    def read_safe(self, content: bytes) -> None:
        """AuthenticatedSafe.

        Raises:
            KeyFormatError: it is none.
        """
        infos = Der(to_der(content)[0]).enter(SEQUENCE)
        while not infos.done:
            info = infos.enter(SEQUENCE)
            kind, value = info.take(OID), info.enter(_EXPLICIT)
            if kind == _DATA:
                self.read_bags(to_der(value.take(OCTETS))[0])
            elif kind == _ENCRYPTED:
                body = value.enter(SEQUENCE)
                body.integer()
                inner = body.enter(SEQUENCE)
                inner.take(OID)
                self._hide(inner, is_key=False)
            else:
                self.unknown = UNKNOWN_CIPHER  # under a public key

    def read_bags(self, der: bytes) -> None:
        """SafeContents, and those that are nested in it; raises as :meth:`read_safe`."""
        pending = [Der(der)]
        while pending:
            bags = pending.pop().enter(SEQUENCE)
            while not bags.done:
                bag = bags.enter(SEQUENCE)
                kind, value = bag.take(OID), bag.enter(_EXPLICIT)
                if kind == _KEY_BAG:
                    self.read_key(value)
                elif kind == _SHROUDED_BAG:
                    self._hide(value.enter(SEQUENCE), is_key=True)
                elif kind == _NESTED_BAGS:
                    pending.append(value)

    def read_key(self, value: Der) -> None:
        """PrivateKeyInfo."""
        try:
            self.keys.append(read_pkcs8(value))
        except KeyFormatError:
            self.unknown = UNKNOWN_KEY

    def _hide(self, body: Der, *, is_key: bool) -> None:
        whole = encode(SEQUENCE, body.data[body.at : body.end]) if is_key else b""
        try:
            encryption = read_encryption(body)
            content = joined_octets(body, OCTETS if is_key else _IMPLICIT)
        except KeyFormatError:
            self.unknown = self.unknown or UNKNOWN_CIPHER
        else:
            self.hidden.append(Hidden(encryption, content, is_key, whole))


@dataclass(frozen=True, slots=True)
class Pfx:
    """A file.

    Attributes:
        contents: what is in it without a password.
        code: tells whether a password is right; None if there is none that is known.
        content: what the code is over.
        end: offset behind the file.
    """

    contents: Contents
    code: Code | None
    content: bytes
    end: int


def read_pfx(data: bytes, at: int = 0) -> Pfx:
    """The file at ``at``; derives and decrypts nothing.

    Raises:
        KeyFormatError: none begins there, it is cut off, or is signed instead of under a password.
    """
    der, end = to_der(data, at)
    body = Der(der).enter(SEQUENCE)
    if body.integer() != 3:
        raise KeyFormatError("not PKCS#12")
    info = body.enter(SEQUENCE)
    if info.take(OID) != _DATA:
        raise KeyFormatError("PKCS#12 file that is signed, not under a password")
    content = info.enter(_EXPLICIT).take(OCTETS)
    contents = Contents()
    contents.read_safe(content)
    try:
        code = None if body.done else read_code(body)
    except KeyFormatError:
        code = None
    return Pfx(contents, code, content, end)
