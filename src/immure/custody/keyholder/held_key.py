"""A key of the holder: what it may sign, how often, its state; and its private half, sealed.

All of this stands in the key file under one code (:mod:`~immure.custody.keyholder.sealed`): who cannot open
the file cannot widen what a key may sign either.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from immure.clock import to_rfc3339
from immure.custody.algorithms import ALGORITHMS, Algorithm, algorithms_of
from immure.custody.keyholder.errors import HolderFileError, HolderRequestError
from immure.custody.public_half import from_spki
from immure.errors import ImmureError
from immure.keymaterial.key import PublicKey
from immure.registry.errors import RegistryError
from immure.registry.fit import check_scope, is_plain_text
from immure.registry.form import change_from_plain, change_to_plain, scope_from_plain, scope_to_plain
from immure.registry.members import Members
from immure.registry.record import MOST_CHANGES, StateChange
from immure.registry.scope import KeyScope
from immure.registry.state import KeyState

#: What a key may be made for. Tokens are kept apart from everything else: a key has them, or other purposes.
PURPOSES: Final = frozenset({"token", "client-assertion", "statement", "note"})
#: Seconds that a token may live at most, if nothing else was said when the key was made.
MOST_SECONDS: Final = 86_400
#: Stands for all audiences that have no entry of their own.
ANY_AUDIENCE: Final = "*"
MOST_AUDIENCES: Final = 1000
MOST_QUOTA: Final = 1 << 62


@dataclass(frozen=True)
class Rules:
    """What a key may sign.

    Attributes:
        algorithm: how it signs; no other is possible.
        scope: issuer, tenants, clouds, audience classes, and its time.
        audiences: classes of each audience; :data:`ANY_AUDIENCE` for those that are not named. A token may be
            signed if each audience in it has a class that the scope has.
        purposes: some of :data:`PURPOSES`.
        most_seconds: that a token may live.
        quota: how many signatures in all; None for any number.
    """

    algorithm: Algorithm
    scope: KeyScope
    audiences: Mapping[str, frozenset[str]] = field(default_factory=dict)
    purposes: frozenset[str] = frozenset({"token"})
    most_seconds: int = MOST_SECONDS
    quota: int | None = None

    def check(self) -> None:
        """See that the rules say something that can be kept; raises HolderRequestError."""
        if not self.purposes or not self.purposes <= PURPOSES:
            raise HolderRequestError(f"purposes are some of {', '.join(sorted(PURPOSES))}")
        if "token" in self.purposes and len(self.purposes) > 1:
            raise HolderRequestError("a key for tokens has no other purpose")
        if len(self.audiences) > MOST_AUDIENCES:
            raise HolderRequestError(f"more than {MOST_AUDIENCES} audiences")
        if not 0 < self.most_seconds <= 10 * 366 * 86_400 or not 0 <= (self.quota or 0) <= MOST_QUOTA:
            raise HolderRequestError("a lifetime or quota that makes no sense")
        if self.scope.algorithms and self.algorithm not in self.scope.algorithms:
            raise HolderRequestError(f"the scope does not have the algorithm {self.algorithm}")

    def fits(self, public: PublicKey) -> None:
        """See that a key may have these rules; raises HolderRequestError."""
        if self.algorithm not in algorithms_of(public.numbers):
            raise HolderRequestError(f"{public.label} keys do not sign by {self.algorithm}")
        try:
            check_scope(self.scope, public.numbers)
        except RegistryError as error:
            raise HolderRequestError(error.reason) from error

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "algorithm": self.algorithm,
            "scope": scope_to_plain(self.scope),
            "audiences": {name: sorted(classes) for name, classes in self.audiences.items()},
            "purposes": sorted(self.purposes),
            "most_seconds": self.most_seconds,
            "quota": self.quota,
        }


@dataclass
class HeldKey:
    """A key, as the holder has it.

    Attributes:
        kid: its name here and in tokens.
        spki: the public half.
        origin: ``generated`` inside, or ``imported``: then somebody else may have it.
        sealed: the private half under the file's seal; empty when destroyed.
        reserved: how often it may have signed at most, as the file says; never less than ``used``.
        used: how often it signed, by what this process knows.
        slot: of the native half; -1 when it is in none.
    """

    kid: str
    rules: Rules
    spki: bytes
    origin: str
    history: tuple[StateChange, ...]
    sealed: bytes = b""
    reserved: int = 0
    used: int = 0
    slot: int = -1

    @property
    def state(self) -> KeyState:
        """Where it is in its life."""
        return self.history[-1].state

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return from_spki(self.spki, f"keyholder:{self.kid}")

    @property
    def about(self) -> bytes:
        """What the private half is bound to, beside the seal."""
        return f"{self.kid}\n{self.public.thumbprint}".encode()

    def to_plain(self) -> dict[str, Any]:
        """As the key file has it."""
        return {
            "kid": self.kid,
            "rules": self.rules.to_plain(),
            "public": base64.b64encode(self.spki).decode(),
            "origin": self.origin,
            "history": [change_to_plain(change) for change in self.history],
            "private": base64.b64encode(self.sealed).decode(),
            "signed": self.reserved,
        }

    def describe(self) -> dict[str, Any]:
        """What a front end may know of it."""
        plain = self.to_plain()
        del plain["private"]
        return plain | {
            "state": self.state.value,
            "jwk": self.public.to_jwk(),
            "thumbprint": self.public.thumbprint,
            "signed": self.used,
            "sealed_since": to_rfc3339(self.history[0].at),
        }


def rules_from_plain(members: Members) -> Rules:
    """Rules out of JSON; raises RegistryError or HolderRequestError for what is malformed."""
    algorithm, scope = members.text("algorithm"), members.table("scope")
    if algorithm not in ALGORITHMS:
        raise members.fail(f"'algorithm' is none of {', '.join(ALGORITHMS)}")
    if scope is None:
        raise members.fail("has no 'scope'")
    audiences = members.value("audiences", {})
    if not isinstance(audiences, dict) or len(audiences) > MOST_AUDIENCES:
        raise members.fail("'audiences' is not a table of classes by audience")
    table = Members(audiences, f"{members.where} audiences", members.path)
    rules = Rules(
        algorithm,
        scope_from_plain(scope),
        {name: table.texts(name) for name in audiences if _is_name(name, members)},
        members.texts("purposes") or frozenset({"token"}),
        _count(members, "most_seconds", MOST_SECONDS),
        None if members.value("quota", None) is None else _count(members, "quota", 0),
    )
    members.done()
    rules.check()
    return rules


def key_from_plain(members: Members) -> HeldKey:
    """A key out of the key file; raises HolderFileError."""
    try:
        kid, rules = members.text("kid"), members.table("rules")
        if not is_kid(kid) or rules is None:
            raise members.fail("has no kid, or no rules")
        made = HeldKey(
            kid,
            rules_from_plain(rules),
            _bytes(members, "public", 16_384),
            members.text("origin"),
            tuple(change_from_plain(change) for change in members.tables("history", MOST_CHANGES)),
            _bytes(members, "private", 32_768),
            _count(members, "signed", 0),
        )
        members.done()
        if not made.history:
            raise members.fail("has no state")
        made.rules.fits(made.public)
    except ImmureError as error:
        raise HolderFileError(error.reason, path=members.path) from error
    made.used = made.reserved
    return made


def is_kid(kid: str) -> bool:
    """Whether a text can name a key."""
    return is_plain_text(kid) and len(kid.encode("utf-8", "replace")) <= 128


def _is_name(name: str, members: Members) -> bool:
    if not is_plain_text(name):
        raise members.fail("an audience is no text that can be kept")
    return True


def _count(members: Members, name: str, default: int) -> int:
    value = members.value(name, default)
    if type(value) is not int or not 0 <= value <= MOST_QUOTA:
        raise members.fail(f"'{name}' is not a count")
    return value


def _bytes(members: Members, name: str, most: int) -> bytes:
    value = members.value(name)
    if not isinstance(value, str) or len(value) > most:
        raise members.fail(f"'{name}' is not base64, or too long")
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raise members.fail(f"'{name}' is not base64") from None


def changed(key: HeldKey, state: KeyState, at: datetime, reason: str) -> tuple[StateChange, ...]:
    """The history of a key with one step more.

    Raises:
        HolderRequestError: there is no such step.
    """
    if not key.state.may_become(state):
        raise HolderRequestError(f"key {key.kid!r} is {key.state.value}, and cannot become {state.value}")
    if len(key.history) >= MOST_CHANGES:
        raise HolderRequestError(f"key {key.kid!r} has changed its state {MOST_CHANGES} times")
    change = StateChange(state, max(at, key.history[-1].at), reason)
    try:
        change.check()
    except RegistryError as error:
        raise HolderRequestError(error.reason) from error
    return (*key.history, change)
