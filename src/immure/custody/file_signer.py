"""``file:`` keys: a private key in a file. For trials: whoever reads the file can sign for ever after.

PEM or DER; PKCS#8 (also encrypted), SEC 1 or PKCS#1.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from immure.custody.algorithms import Algorithm, ec_digest, rsa_padding
from immure.custody.pin import file_path, find_pin, unquoted
from immure.custody.public_half import from_spki
from immure.custody.secret_file import read_secret_file, wipe
from immure.custody.signer import Ask, Signer, choose_algorithm, shown
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey

WARNING: Final = (
    "a private key in a file is for trials: whoever can read the file once can sign with it for ever; "
    "keep keys that count on a PKCS#11 token"
)


class FileUri(NamedTuple):
    """What a ``file:`` key URI says."""

    path: str
    algorithm: str | None
    pin_source: str | None


class FileSigner(Signer):
    """Signs with a key that is in this process's memory."""

    warning = WARNING

    def __init__(self, uri: str, public: PublicKey, algorithm: Algorithm, key: Any) -> None:
        super().__init__(uri, public, algorithm)
        self._key = key

    def _sign(self, message: bytes) -> bytes:
        if self._key is None:
            raise SignerError("is closed", path=self.uri)
        if self.algorithm == "EdDSA":
            return bytes(self._key.sign(message))
        if self.algorithm in ("PS256", "RS256"):
            return bytes(self._key.sign(message, *rsa_padding(self.algorithm)))
        from cryptography.hazmat.primitives.asymmetric import ec

        return bytes(self._key.sign(message, ec.ECDSA(ec_digest(self.algorithm))))

    def close(self) -> None:
        """See :meth:`Signer.close`."""
        self._key = None


def open_file(uri: str, pin: str | None = None, ask: Ask | None = None) -> FileSigner:
    """The private key in a file; arguments and errors as :func:`~immure.custody.signer.open_signer`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    parsed = parse_file_uri(uri)
    key = _load(parsed, pin, ask)
    public_bytes = getattr(key.public_key(), "public_bytes", None)
    if public_bytes is None:
        raise SignerError("a key of this kind does not sign", path=parsed.path)
    public = from_spki(public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), parsed.path)
    return FileSigner(shown(uri), public, choose_algorithm(public, parsed.algorithm, parsed.path), key)


def parse_file_uri(uri: str) -> FileUri:
    """The parts of ``file:PATH?alg=NAME&pin-source=FILE``, percent-encoded as URIs are.

    Raises:
        SignerError: no path, another host, an option that is unknown or given twice.
    """
    if "pin-value" in uri:  # wherever it stands, also behind a wrong separator
        raise SignerError("a PIN in a URI is seen by others; use pin-source", path=shown(uri))
    _, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name not in ("alg", "pin-source") or not equals:
            raise SignerError("options of a file: URI are alg= and pin-source=", path=shown(uri))
        if name in options:
            raise SignerError(f"{name} is given twice", path=shown(uri))
        options[name] = unquoted(value)
    if not path:
        raise SignerError("names no file", path=shown(uri))
    return FileUri(file_path(path), options.get("alg"), options.get("pin-source"))


def _load(uri: FileUri, pin: str | None, ask: Ask | None) -> Any:
    data = read_secret_file(uri.path)
    try:
        key = _decode(data, None, uri.path)
        if key is None:
            password = find_pin(pin, uri.pin_source, ask, f"password of {uri.path}")
            if password is None:
                raise SignerError("is encrypted, and there is no password", path=uri.path)
            key = _decode(data, password.reveal(), uri.path)
    finally:
        wipe(data)
    return key


def _decode(data: bytearray, password: bytes | None, path: str) -> Any:
    """The key of ``cryptography``; None if a password is needed and there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    load = load_pem_private_key if b"-----BEGIN " in data else load_der_private_key
    try:
        return load(data, password)
    except TypeError:  # how the library says that a password is needed
        if password is None:
            return None
        raise SignerError("cannot be decrypted", path=path) from None
    except UnsupportedAlgorithm:
        raise SignerError("holds a key, or is encrypted, in a way that is not known", path=path) from None
    except ValueError:
        # the library's words are left out: they might quote what it read
        reason = (
            "is no private key in PKCS#8, SEC 1 or PKCS#1"
            if password is None
            else "wrong password, or damaged"
        )
        raise SignerError(reason, path=path) from None
