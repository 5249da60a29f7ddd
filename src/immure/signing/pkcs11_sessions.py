"""Sessions with one PKCS#11 token for several threads: opened when needed, opened anew when they are lost.

A token that is taken out takes its sessions and its login with it; whatever is asked next opens new ones.
A PIN is another matter: a token locks itself after a few wrong ones. So a PIN that was refused is not tried
again before its file has changed, and none is tried at all if the token remembers a wrong one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from immure.custody.pin import find_pin, source_path
from immure.custody.pkcs11_module import find_module, in_words, present_slots
from immure.custody.pkcs11_signer import _choose_slot, _leave, _text
from immure.custody.pkcs11_uri import Pkcs11Uri
from immure.errors import SignerError

if TYPE_CHECKING:
    from pkcs11 import Session, Token

T = TypeVar("T")
#: Return codes after which new sessions may help, by python-pkcs11's names.
_LOST: Final = frozenset(
    {
        "SessionClosed", "SessionHandleInvalid", "DeviceRemoved", "DeviceError", "TokenNotPresent",
        "TokenNotRecognised", "GeneralError", "UserNotLoggedIn", "ObjectHandleInvalid", "KeyHandleInvalid",
        "OperationActive", "FunctionFailed",
    }
)  # fmt: skip
#: Those that mean: not this PIN.
_REFUSED: Final = frozenset({"PinIncorrect", "PinInvalid", "PinLenRange", "PinExpired", "PinLocked"})
#: Seconds in which a token that could not be reached is not looked for again.
_PAUSE: Final = 1.0


class LostError(SignerError):
    """What was looked for is not there, perhaps because somebody logged out: a new session may see it."""


@dataclass
class Held:
    """A session, and the keys that were found in it; for one thread at a time."""

    session: Session
    era: int
    keys: dict[str, Any] = field(default_factory=dict)


class Sessions:
    """Sessions of this process with the token that a URI names.

    Args:
        uri: of the token; needs a PIN source, for there is nobody to ask.
        path: what errors name.
    """

    def __init__(self, uri: Pkcs11Uri, path: str) -> None:
        self._uri, self._path = uri, path
        self._free: list[Held] = []
        self._busy = 0
        self._era = 0
        #: Logging in is for all sessions of a process. This one did it; it is lent to nobody, for who closes
        #: it logs out.
        self._login: Session | None = None
        self._changed = threading.Condition()
        self._refused: object = None
        self._not_before = 0.0
        self._why: SignerError | None = None

    def run(self, work: Callable[[Held], T]) -> T:
        """Do something in a session; once more in a new one, if it was lost meanwhile.

        Raises:
            SignerError: the token cannot be reached, or does not do it.
        """
        from pkcs11.exceptions import PKCS11Error

        with in_words(self._path):
            for is_last in (False, True):
                held = self._take()
                try:
                    done = work(held)
                except (PKCS11Error, LostError) as error:
                    is_lost = isinstance(error, LostError) or type(error).__name__ in _LOST
                    self._give(held, lost=is_lost)
                    if is_last or not is_lost:
                        raise
                except BaseException:
                    self._give(held)
                    raise
                else:
                    self._give(held)
                    return done
        raise AssertionError("the second round returns or raises")

    def close(self) -> None:
        """Close the sessions that nobody uses."""
        with self._changed:
            self._drop()

    def _take(self) -> Held:
        with self._changed:
            if not self._free:
                self._free.append(self._opened())
            self._busy += 1
            return self._free.pop()

    def _give(self, held: Held, *, lost: bool = False) -> None:
        with self._changed:
            self._busy -= 1
            if lost and held.era == self._era:
                self._drop()
            if held.era == self._era:
                self._free.append(held)
            else:
                _leave(held.session)
            self._changed.notify_all()

    def _drop(self) -> None:
        """Sessions of before are of no use any more."""
        self._era += 1
        while self._free:
            _leave(self._free.pop().session)
        login, self._login = self._login, None
        if login is not None:
            _leave(login)

    # --- opening ---

    def _opened(self) -> Held:
        if self._why is not None and time.monotonic() < self._not_before:
            raise SignerError(self._why.reason, path=self._path)
        try:
            token = self._token()
            self._why = None
            return Held(self._session(token), self._era)
        except SignerError as error:
            self._why, self._not_before = error, time.monotonic() + _PAUSE
            raise

    def _token(self) -> Token:
        """The token, found anew: its slot may be another now. A library that has lost its way is begun anew,
        when no other thread is in it."""
        module = find_module(self._uri)
        try:
            return self._found(module)
        except SignerError:
            if not self._changed.wait_for(lambda: self._busy == 0, timeout=_PAUSE):
                raise
            _begin_anew(module, self._path)
            self._drop()
            return self._found(module)

    def _found(self, module: str) -> Token:
        slot = _choose_slot(present_slots(module), self._uri, self._path)
        with in_words(self._path):
            return slot.get_token()

    def _session(self, token: Token) -> Session:
        from pkcs11 import TokenFlag

        with in_words(self._path):
            if self._login is None and token.flags & TokenFlag.LOGIN_REQUIRED:
                self._login = self._log_in(token)
            return token.open(rw=True)

    def _log_in(self, token: Token) -> Session:
        from pkcs11.exceptions import PKCS11Error, UserAlreadyLoggedIn

        file = self._check_pin(token)
        pin = find_pin(None, self._uri.pin_source, None, "")
        if pin is None:
            raise SignerError("the token wants a PIN, and the URI has no pin-source", path=self._path)
        try:
            return token.open(rw=True, user_pin=_text(pin, self._path))
        except UserAlreadyLoggedIn:  # somebody else in this process did
            return token.open(rw=True)
        except PKCS11Error as error:
            if type(error).__name__ in _REFUSED:
                self._refused = file
            raise

    def _check_pin(self, token: Token) -> object:
        """What the PIN's file is like now; raises SignerError if its PIN is not to be tried."""
        from pkcs11 import TokenFlag

        file = _state_of(self._uri.pin_source)
        if self._refused is not None and self._refused == file:
            raise SignerError(
                "the PIN was refused before, and is not tried again until its file has changed",
                path=self._path,
            )
        if token.flags & TokenFlag.USER_PIN_LOCKED:
            raise SignerError("the PIN is locked after too many wrong ones", path=self._path)
        if token.flags & (TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.USER_PIN_FINAL_TRY):
            raise SignerError(
                "the token has been given a wrong PIN, and so no PIN is tried here: a few more would lock it;"
                " log in once by hand with the right one",
                path=self._path,
            )
        return file


def _state_of(source: str | None) -> object:
    if source is None:
        return "environment"
    try:
        status = os.stat(source_path(source))
    except OSError as error:
        raise SignerError(error.strerror or "cannot be read", path=source_path(source)) from error
    return status.st_ino, status.st_mtime_ns, status.st_size


def _begin_anew(module: str, path: str) -> None:
    import pkcs11

    with in_words(path):
        pkcs11.lib(module).reinitialize()
