"""``pkcs11:`` keys: a private key on a token (smart card, HSM), which signs and never gives the key out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from immure.custody.algorithms import Algorithm
from immure.custody.pin import find_pin
from immure.custody.pkcs11_module import find_module, in_words, present_slots
from immure.custody.pkcs11_public import attribute, read_public
from immure.custody.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from immure.custody.signer import Ask, Signer, choose_algorithm, shown
from immure.errors import SignerError
from immure.keymaterial import der
from immure.keymaterial.key import PublicKey
from immure.secret import Secret

if TYPE_CHECKING:
    from pkcs11 import Session, Slot

_DIGESTS: Final = {"ES256": "sha256", "ES384": "sha384", "PS256": "sha256", "RS256": "sha256"}
#: DigestInfo of SHA-256 without the digest (RFC 8017, section 9.2, note 1)
_SHA256_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")


class Pkcs11Signer(Signer):
    """Signs on a token. The digest is computed here, so that a large message need not go through the token.

    May be used by several threads; the token does one thing after the other.
    """

    def __init__(
        self,
        uri: str,
        public: PublicKey,
        algorithm: Algorithm,
        session: Session,
        key: Any,
        pin: Secret[bytes] | None = None,
    ) -> None:
        super().__init__(uri, public, algorithm)
        self._session: Session | None = session
        self._key = key
        self._pin = pin  # only for a key that wants it each time
        self._lock = threading.Lock()

    def _sign(self, message: bytes) -> bytes:
        mechanism, parameters, data = _operation(self.algorithm, message)
        again = {} if self._pin is None else {"pin": self._pin.reveal().decode()}
        with self._lock, in_words(self.uri):
            if self._session is None:
                raise SignerError("is closed", path=self.uri)
            signature = bytes(self._key.sign(data, mechanism=mechanism, mechanism_param=parameters, **again))
        return _der_signature(signature) if self.algorithm in ("ES256", "ES384") else signature

    def close(self) -> None:
        """See :meth:`Signer.close`."""
        with self._lock:
            session, self._session, self._pin = self._session, None, None
            if session is not None:
                _leave(session)


def open_pkcs11(uri: str, pin: str | None = None, ask: Ask | None = None) -> Pkcs11Signer:
    """The key on a token; arguments and errors as :func:`~immure.custody.signer.open_signer`."""
    parsed, path = parse_pkcs11_uri(uri), shown(uri)
    slot = _choose_slot(present_slots(find_module(parsed)), parsed, path)
    session, found = _log_in(slot, parsed, path, pin, ask)
    try:
        with in_words(path):
            key = _find_key(session, parsed, path)
            public = read_public(session, key, path)
            algorithm = choose_algorithm(public, parsed.algorithm, path)
            again = found if _wants_pin_again(key) else None
            return Pkcs11Signer(path, public, algorithm, session, key, again)
    except BaseException:
        _leave(session)
        raise


def _leave(session: Session) -> None:
    from pkcs11.exceptions import PKCS11Error

    with suppress(PKCS11Error):  # a session that cannot be closed is gone already, with its token
        session.close()


def _choose_slot(slots: Sequence[Slot], uri: Pkcs11Uri, path: str) -> Slot:
    with in_words(path):
        matching = [slot for slot in slots if _is_meant(slot, uri)]
    if not matching:
        raise SignerError("there is no such token", path=path)
    if len(matching) > 1:
        raise SignerError(f"{len(matching)} tokens are meant; add serial= or slot-id=", path=path)
    return matching[0]


def _is_meant(slot: Slot, uri: Pkcs11Uri) -> bool:
    from pkcs11 import TokenFlag

    token = slot.get_token()
    if not token.flags & TokenFlag.TOKEN_INITIALIZED:
        return False  # some libraries always have one such slot, for a new token
    pairs = (
        (uri.slot_id, slot.slot_id),
        (uri.slot_description, slot.slot_description),
        (uri.token, token.label),
        (uri.serial, token.serial.decode("utf-8", "replace")),
        (uri.manufacturer, token.manufacturer_id),
        (uri.model, token.model),
    )
    return all(wanted is None or wanted == present for wanted, present in pairs)


def _log_in(
    slot: Slot, uri: Pkcs11Uri, path: str, pin: str | None, ask: Ask | None
) -> tuple[Session, Secret[bytes] | None]:
    """A session, and the PIN that it was opened with, if the token wants one."""
    from pkcs11 import PROTECTED_AUTH, TokenFlag
    from pkcs11.exceptions import UserAlreadyLoggedIn

    with in_words(path):
        token = slot.get_token()
        if not token.flags & TokenFlag.LOGIN_REQUIRED:
            return token.open(), None
        found = find_pin(pin, uri.pin_source, ask, f"PIN of the token {token.label!r}")
        if found is None and not token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            raise SignerError("the token wants a PIN, and there is none", path=path)
        try:
            return token.open(user_pin=PROTECTED_AUTH if found is None else _text(found, path)), found
        except UserAlreadyLoggedIn:  # by another session of this process: logging in is for all of them
            return token.open(), found


def _text(pin: Secret[bytes], path: str) -> str:
    try:
        return pin.reveal().decode()
    except UnicodeDecodeError:
        raise SignerError("the PIN is not UTF-8", path=path) from None


def _find_key(session: Session, uri: Pkcs11Uri, path: str) -> Any:
    from pkcs11 import Attribute, ObjectClass

    wanted: dict[Any, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if uri.object:
        wanted[Attribute.LABEL] = uri.object
    if uri.id:
        wanted[Attribute.ID] = uri.id
    keys = list(session.get_objects(wanted))
    if not keys:
        raise SignerError("there is no such private key on the token", path=path)
    if len(keys) > 1:
        raise SignerError(f"{len(keys)} private keys are meant; add id= or object=", path=path)
    if attribute(keys[0], Attribute.SIGN) is False:
        raise SignerError("the token does not let this key sign", path=path)
    return keys[0]


def _wants_pin_again(key: Any) -> bool:
    from pkcs11 import Attribute

    return bool(attribute(key, Attribute.ALWAYS_AUTHENTICATE))


def _operation(algorithm: Algorithm, message: bytes) -> tuple[Any, Any, bytes]:
    """Mechanism, its parameters, and the bytes that it signs."""
    from pkcs11 import MGF, Mechanism

    if algorithm == "EdDSA":
        return Mechanism.EDDSA, None, message
    digest = hashlib.new(_DIGESTS[algorithm], message).digest()
    if algorithm == "PS256":
        return Mechanism.RSA_PKCS_PSS, (Mechanism.SHA256, MGF.SHA256, len(digest)), digest
    if algorithm == "RS256":
        return Mechanism.RSA_PKCS, None, _SHA256_INFO + digest
    return Mechanism.ECDSA, None, digest


def _der_signature(signature: bytes) -> bytes:
    """r and s behind one another (PKCS#11 v3.0, section 2.3.1) as ECDSA-Sig-Value (RFC 3279)."""
    half = len(signature) // 2
    numbers = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    return der.sequence(*(der.integer(number) for number in numbers))
