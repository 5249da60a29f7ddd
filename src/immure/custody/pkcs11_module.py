"""Libraries that reach PKCS#11 tokens: where they are, how they are loaded, what their return codes mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from immure.custody.pkcs11_uri import Pkcs11Uri
from immure.errors import SignerError

if TYPE_CHECKING:
    from pkcs11 import Slot

#: Where distributions keep such libraries; searched for a ``module-name``.
DIRECTORIES: Final = (
    "/usr/lib/pkcs11",
    "/usr/lib64/pkcs11",
    "/usr/lib/x86_64-linux-gnu/pkcs11",
    "/usr/lib/aarch64-linux-gnu/pkcs11",
    "/usr/lib/softhsm",
    "/usr/lib64/softhsm",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib/pkcs11",
    "/usr/local/lib",
    "/usr/lib64",
    "/usr/lib",
)
_GONE: Final = "the session with the token is gone"
#: Return codes (PKCS#11 v2.40, section 5.1), by the names of the classes that python-pkcs11 has for them.
_WORDS: Final = {
    "PinIncorrect": "wrong PIN",
    "PinInvalid": "wrong PIN",
    "PinLenRange": "wrong PIN (of a length that the token never takes)",
    "PinLocked": "the PIN is locked after too many wrong ones",
    "PinExpired": "the PIN has expired",
    "UserPinNotInitialized": "the token has no user PIN yet",
    "UserNotLoggedIn": "the token wants a PIN first",
    "AnotherUserAlreadyLoggedIn": "somebody else is logged in to the token",
    "DeviceRemoved": "the token was removed",
    "TokenNotPresent": "the token was removed",
    "TokenNotRecognised": "the token is not recognised",
    "DeviceError": "the token reports a fault",
    "GeneralError": "the token's library reports a fault",
    "SessionClosed": _GONE,
    "SessionHandleInvalid": _GONE,
    "SessionCount": "the token has no more sessions to give",
    "ObjectHandleInvalid": "the key is gone from the token",
    "KeyHandleInvalid": "the key is gone from the token",
    "MechanismInvalid": "the token does not sign by this algorithm",
    "MechanismParamInvalid": "the token does not sign by this algorithm",
    "KeyTypeInconsistent": "the token does not sign by this algorithm with this key",
    "FunctionNotSupported": "the token's library cannot do this",
    "FunctionRejected": "the token's owner did not agree to it",
}


@contextmanager
def in_words(path: str) -> Iterator[None]:
    """Let errors of python-pkcs11 become SignerErrors that name ``path``. Their texts are left out."""
    from pkcs11.exceptions import PKCS11Error

    try:
        yield
    except PKCS11Error as error:
        name = type(error).__name__
        raise SignerError(_WORDS.get(name, f"the token's library says {name}"), path=path) from None


def find_module(uri: Pkcs11Uri) -> str:
    """The path of the library that the URI names.

    Raises:
        SignerError: there is no such file.
    """
    if uri.module_path is not None:
        if not os.path.isfile(uri.module_path):
            raise SignerError("there is no such PKCS#11 library", path=uri.module_path)
        return uri.module_path
    for directory in DIRECTORIES:
        for name in (f"{uri.module_name}.so", f"lib{uri.module_name}.so"):
            if os.path.isfile(os.path.join(directory, name)):
                return os.path.join(directory, name)
    raise SignerError(
        f"there is no PKCS#11 library {uri.module_name} in the usual directories; give module-path"
    )


def present_slots(module: str) -> list[Slot]:
    """The slots of a library that have a token in them.

    Raises:
        SignerError: python-pkcs11 is not installed, or the library cannot be loaded or does not answer.
    """
    try:
        import pkcs11
    except ImportError as error:
        raise SignerError(
            "pkcs11: keys need the Python package python-pkcs11, which is not installed: "
            "pip install 'immure[pkcs11]'"
        ) from error
    from pkcs11.exceptions import PKCS11Error

    library: Any
    try:
        library = pkcs11.lib(module)
    except PKCS11Error as error:
        detail = str(error).rpartition(f"{module}: ")[2] or type(error).__name__
        raise SignerError(f"cannot be loaded as a PKCS#11 library: {detail}", path=module) from None
    with in_words(module):
        return list(library.get_slots(token_present=True))
