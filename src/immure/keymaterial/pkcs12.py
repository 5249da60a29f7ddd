"""Opens PKCS#12 files with passwords that everybody knows.

That is done here and not by a library, because counts of rounds stand also inside what is encrypted: opened
as a whole, a hostile file takes days. Here each derivation is paid for from a budget before it is done. And
a file may have more keys than the one that libraries give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from immure.errors import KeyFormatError
from immure.keymaterial.der import Der
from immure.keymaterial.derivation import Derivation, Password
from immure.keymaterial.keystores import CLOSED, COMMON_PASSWORDS, StoreKey, not_all_tried
from immure.keymaterial.pbe import Code
from immure.keymaterial.pfx import Contents, Hidden, Pfx, read_pfx

#: Units of work (a quarter of a microsecond each) that finding the password may cost: all passwords with the
#: 10,000 rounds of the JDK, three with Bouncy Castle's 102,400, two with the 600,000 of NSS.
_MOST_TRYING: Final = 1_250_000
#: The same for reading all that the password opens.
_MOST_READING: Final = 2_500_000
_PASSWORDS: Final[tuple[Password, ...]] = (None, *COMMON_PASSWORDS)
_PARTLY: Final = "a common password opens it, but not all that is in it"
_TOO_DEAR: Final = "a common password opens it, but what is in it takes more rounds than are done"


class _Check(NamedTuple):
    """A way to tell whether a password is right."""

    cost: int
    derivation: Derivation
    accepts: Callable[[Password], bool]


def read_pkcs12(data: bytes, at: int = 0) -> Iterator[StoreKey]:
    """The private keys of the PKCS#12 file (PFX) at ``at``, if nothing hides them or a common password opens
    it, and one that is None if something stays hidden. Whether that is a key cannot be told.

    Raises:
        KeyFormatError: no file begins there, it is cut off, or is not under a password.
    """
    file = read_pfx(data, at)
    contents = file.contents
    reason = _open(file) if contents.hidden else contents.unknown
    for private in contents.keys:
        yield StoreKey(private, at, file.end)
    if reason:
        yield StoreKey(None, at, file.end, reason)


def _open(file: Pfx) -> str:
    """Adds what a common password opens to the contents; returns why something stays hidden, if it does."""
    checks = [_check_by(hidden) for hidden in file.contents.hidden if hidden.can_check]
    if file.code is not None:
        checks.append(_check_by_code(file.code, file.content))
    if not checks:
        return CLOSED
    check = min(checks, key=lambda check: check.cost)
    # to PBKDF2 no password and an empty one are the same
    passwords = _PASSWORDS[1:] if check.derivation.is_pbkdf2 else _PASSWORDS
    tried = passwords[: _MOST_TRYING // check.cost]
    for password in tried:
        if check.accepts(password):
            return _read(file.contents, password)
    if len(tried) == len(passwords):
        return CLOSED
    return not_all_tried(check.derivation.rounds)


def _check_by_code(code: Code, content: bytes) -> _Check:
    return _Check(code.cost, code.derivation, lambda password: code.accepts(password, content))


def _check_by(hidden: Hidden) -> _Check:
    def accepts(password: Password) -> bool:
        try:
            hidden.open(password)
        except KeyFormatError:
            return False
        return True

    return _Check(hidden.encryption.cost, hidden.encryption.derivation, accepts)


def _read(contents: Contents, password: Password) -> str:
    """As :func:`_open`, with a password that is right."""
    passwords = (password,) if password else (None, "")
    budget = _MOST_READING
    missed = []
    for hidden in contents.hidden:  # those in bags that are opened join the list meanwhile
        for candidate in passwords:
            budget -= hidden.encryption.cost
            if budget < 0:
                return _TOO_DEAR
            if _take(contents, hidden, candidate):
                break
        else:
            missed.append(hidden)
    is_partly = any(hidden.is_key for hidden in missed) or (missed and not contents.keys)
    return _PARTLY if is_partly else contents.unknown


def _take(contents: Contents, hidden: Hidden, password: Password) -> bool:
    """Adds what is hidden to the contents; whether the password opens it."""
    try:
        der = hidden.open(password)
        if hidden.is_key:
            contents.read_key(Der(der))
        else:
            contents.read_bags(der)
    except KeyFormatError:
        return False
    return True
