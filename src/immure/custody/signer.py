"""What signs: a private key that somebody else may hold, named by a URI.

    with open_signer("pkcs11:token=release;object=clearance?module-name=softhsm2") as signer:
        signature = signer.sign(message)

The schemes are in :data:`SCHEMES`, filled in the package's ``__init__``. Wherever a URI is shown, it is as
:func:`shown` has it, which leaves out whatever might be a PIN.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Final

from immure.custody.algorithms import Algorithm, algorithms_of, is_signature
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey

#: Asks a person for a PIN or password; the argument says which. None if there is nobody to ask.
Ask = Callable[[str], str | None]
Opener = Callable[[str, str | None, Ask | None], "Signer"]

#: What opens a key URI, by its scheme.
SCHEMES: dict[str, Opener] = {}
#: Attributes of a PKCS#11 URI that may be shown; in a value with a second = there might be one that may not.
_HARMLESS: Final = re.compile(
    r"(?:token|object|id|serial|slot-id|model|manufacturer|type)=[A-Za-z0-9._~%,+@-]*"
)
#: Names of keys and mounts at services on the network: nothing that might be a password with its user.
_REMOTE: Final = re.compile(r"[A-Za-z0-9/_.:+-]*")


class Signer(ABC):
    """A private key that signs, and its public half.

    Attributes:
        uri: what names it, without any PIN.
        algorithm: how it signs (:mod:`immure.custody.algorithms`).
        public: the public half.
        warning: what to say to whoever uses it, if there is something.
    """

    warning: str | None = None

    def __init__(self, uri: str, public: PublicKey, algorithm: Algorithm) -> None:
        self.uri = uri
        self.public = public
        self.algorithm: Algorithm = algorithm

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the public half: the key's name."""
        return self.public.thumbprint

    def sign(self, message: bytes) -> bytes:
        """A signature over ``message``, held against the public half before it is given out.

        That also finds a token whose two halves do not belong together, and a fault in the arithmetic: a
        wrong RSA signature made by the Chinese remainder theorem gives the primes away.

        Raises:
            SignerError: the key is not to be had any more, or the signature does not hold.
        """
        signature = self._sign(message)
        if not is_signature(self.public.numbers, self.algorithm, message, signature):
            raise SignerError("what it signed does not hold against its public half", path=self.uri)
        return signature

    @abstractmethod
    def _sign(self, message: bytes) -> bytes:
        """The signature, as :mod:`immure.custody.algorithms` says how it is written."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the key. Signing after that raises SignerError."""

    def __enter__(self) -> Signer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri} {self.algorithm} {self.thumbprint}>"


def open_signer(uri: str, *, pin: str | None = None, ask: Ask | None = None) -> Signer:
    """The private key that ``uri`` names.

    Args:
        uri: ``file:PATH``, ``pkcs11:…`` (RFC 7512), …; see ``docs/reference/key-uris.md``.
        pin: PIN or password, if it needs one. Without it the ``pin-source`` of the URI is read, then the
            variable ``IMMURE_PIN``, then ``ask`` is called.
        ask: asks a person.

    Raises:
        SignerError: the URI is malformed, or the key cannot be used; the reason never holds a PIN.
    """
    scheme, colon, _ = uri.partition(":")
    opener = SCHEMES.get(scheme.lower()) if colon else None
    if opener is None:
        *others, last = (f"{name}:" for name in SCHEMES)
        raise SignerError(f"key URIs begin with {', '.join(others)} or {last}", path=shown(uri))
    return opener(uri, pin, ask)


def shown(uri: str) -> str:
    """``uri`` without its query, and without attributes of a PKCS#11 URI that ought not to be where they are.

    >>> shown("pkcs11:token=release;pin-value=1234?pin-value=1234")
    'pkcs11:token=release;…?…'
    """
    scheme, colon, rest = uri.partition(":")
    path, mark, _ = rest.partition("?")
    if scheme.lower() == "pkcs11":
        path = ";".join(part if _HARMLESS.fullmatch(part) else "…" for part in path.split(";"))
    elif scheme.lower() in ("awskms", "vault") and _REMOTE.fullmatch(path):
        pass
    elif (colon and scheme.lower() != "file") or "pin-value" in path:
        path = "…"
    return f"{scheme}{colon}{path}{'?…' if mark else ''}"


def choose_algorithm(public: PublicKey, wanted: str | None, path: str) -> Algorithm:
    """The algorithm that a key signs with: ``wanted``, or the default of its kind.

    Raises:
        SignerError: this kind of key does not sign statements, or not by that algorithm.
    """
    possible = algorithms_of(public.numbers)
    if not possible:
        raise SignerError(
            f"{public.label} keys do not sign here; Ed25519, P-256, P-384 and RSA from 2048 bits do",
            path=path,
        )
    if wanted is None:
        return possible[0]
    for algorithm in possible:
        if algorithm == wanted:
            return algorithm
    raise SignerError(f"{public.label} keys sign by {' or '.join(possible)}, not by {wanted!r}", path=path)
