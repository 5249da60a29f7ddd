"""What the holder does for each kind of request, and for whom.

A front end that signs may sign, look, take keys out of use, and have successors made: keys that may sign
exactly what their predecessors may. Everything that could widen what is signed needs a holder that was
started to manage: new rules, imports, backups, and bringing a suspended key back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from immure.clock import Clock
from immure.custody.keyholder.cabinet import Cabinet, first_state
from immure.custody.keyholder.errors import (
    HolderFaultError,
    HolderFileError,
    HolderRequestError,
    HolderRoleError,
)
from immure.custody.keyholder.held_key import Rules, rules_from_plain
from immure.custody.keyholder.native import Native
from immure.custody.keyholder.protocol import Frame, Op, from_json, parse_sign_body, to_json
from immure.custody.keyholder.rules import TOKEN_PURPOSES, check_purpose
from immure.custody.keyholder.sketches import write_sketches
from immure.errors import InputError
from immure.registry.members import Members
from immure.registry.state import KeyState

#: Bits of an RSA key, if nothing is said; what may be asked for.
RSA_BITS: Final = 3072
BITS: Final = (2048, 3072, 4096)
SIGN, MANAGE = "sign", "manage"
#: Out of use is always possible; back into use is not.
_SAFE_STATES: Final = frozenset(
    {KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED, KeyState.DESTROYED}
)
#: One that is suspended has none: that would undo what somebody decided.
WITH_SUCCESSORS: Final = frozenset(
    {KeyState.PRE_ACTIVE, KeyState.ACTIVE, KeyState.DEACTIVATED, KeyState.COMPROMISED}
)

#: Is given the answer's body, or None if the native half failed.
Done = Callable[[bytes | None], bytes]


@dataclass(slots=True)
class Pending:
    """A request whose answer the native half will give, under a number."""

    number: int
    done: Done


class Desk:
    """Answers requests; ``status`` is what is said of the process's protections."""

    def __init__(
        self, cabinet: Cabinet, native: Native, role: str, status: dict[str, Any], now: Clock
    ) -> None:
        self._cabinet = cabinet
        self._native = native
        self._role = role
        self._status = status
        self._now = now
        self._number = 0
        self.refused = 0

    def answer(self, frame: Frame, handles: list[int]) -> bytes | Pending:
        """The body of the answer, now or later.

        Raises:
            HolderError: the answer is no.
        """
        if frame.op is Op.SIGN:
            return self._sign(frame)
        plain = from_json(frame.body)
        try:
            return self._other(frame.op, Members(plain, "the request", ""), handles)
        except InputError as error:
            raise HolderRequestError(error.reason) from error

    def _other(self, op: Op, asked: Members, handles: list[int]) -> bytes | Pending:
        if op is Op.LIST:
            return to_json({"keys": [key.describe() for key in self._cabinet.keys.values()]})
        if op is Op.STATUS:
            return to_json(self._status | self._numbers())
        if op is Op.SET_STATE:
            return self._set_state(asked)
        if op is Op.SUCCEED:
            return self._succeed(asked)
        if self._role != MANAGE:
            raise HolderRoleError(f"{op.name.lower()} needs a holder that was started to manage keys")
        if op is Op.GENERATE:
            return self._generate(asked)
        if op is Op.IMPORT:
            return self._import(asked, handles)
        if op is Op.BACKUP:
            return self._backup(handles)
        if op is Op.SKETCHES:
            return write_sketches(self._cabinet, self._native, handles)
        raise HolderRequestError(f"{op.name.lower()} is no request")

    def _numbers(self) -> dict[str, int]:
        numbers = {"keys": len(self._cabinet.keys), "version": self._cabinet.version}
        return numbers | {"refused": self.refused, "room": self._native.room()}

    # --- signing ---

    def _sign(self, frame: Frame) -> Pending:
        kid, purpose, message = parse_sign_body(frame.body)
        self.refused += 1  # until it is not
        key, now = self._cabinet.find(kid), self._now().timestamp()
        self._cabinet.check_ready(key, now)
        if purpose in TOKEN_PURPOSES:
            self._cabinet.rules_of(kid).check(message, purpose, now)
        else:
            check_purpose(key.rules, purpose, message)
        self._cabinet.count(key)
        self.refused -= 1
        number = self._next()
        self._native.sign(number, key.slot, key.rules.algorithm, message)
        return Pending(number, _signature)

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- keys ---

    def _set_state(self, asked: Members) -> bytes:
        kid, name, reason = asked.text("kid"), asked.text("state"), asked.text("reason", "")
        asked.done()
        states = {state.value: state for state in KeyState}
        if name not in states:
            raise HolderRequestError(f"there is no state {name[:40]!r}")
        state, before = states[name], self._cabinet.find(kid).state
        first_use = before is KeyState.PRE_ACTIVE and state is KeyState.ACTIVE
        if self._role != MANAGE and not first_use and state not in _SAFE_STATES:
            raise HolderRoleError(f"bringing a key to {name} needs a holder that was started to manage keys")
        return to_json(self._cabinet.set_state(kid, state, reason, self._now()).describe())

    def _generate(self, asked: Members) -> Pending:
        table = asked.table("rules")
        if table is None:
            raise HolderRequestError("the request has no rules")
        return self._make(asked, rules_from_plain(table))

    def _succeed(self, asked: Members) -> Pending:
        """A new key with the rules of another. Only its time may differ, and of the audiences that these do
        not name, it may be for fewer."""
        old = self._cabinet.find(asked.text("after"))
        nobody = dict.fromkeys(sorted(asked.texts("never")), frozenset[str]())
        scope = replace(
            old.rules.scope, not_before=asked.moment("not_before"), not_after=asked.moment("not_after")
        )
        if old.state not in WITH_SUCCESSORS:
            raise HolderRequestError(f"key {old.kid!r} is {old.state.value}, and has no successors")
        rules = replace(old.rules, scope=scope, audiences={**nobody, **old.rules.audiences})
        rules.check()
        return self._make(asked, rules)

    def _make(self, asked: Members, rules: Rules) -> Pending:
        kid, state, bits = asked.text("kid"), asked.text("state", "active"), asked.value("bits", RSA_BITS)
        asked.done()
        if bits not in BITS or type(bits) is not int:
            raise HolderRequestError(f"RSA keys have {', '.join(map(str, BITS))} bits")
        change = first_state(
            KeyState.ACTIVE if state == "active" else KeyState.PRE_ACTIVE, self._now(), "made"
        )
        slot, number = self._cabinet.slot_for(kid), self._next()

        def done(spki: bytes | None) -> bytes:
            if spki is None:
                self._cabinet.release(slot)
                raise HolderFaultError("the key could not be made")
            return to_json(self._cabinet.add(kid, rules, spki, slot, change, "generated").describe())

        self._native.generate(number, slot, rules.algorithm, bits)
        return Pending(number, done)

    def _import(self, asked: Members, handles: list[int]) -> bytes:
        kid, table = asked.text("kid"), asked.table("rules")
        asked.done()
        if table is None or len(handles) != 1:
            raise HolderRequestError("an import needs rules, and one file")
        rules, slot = rules_from_plain(table), self._cabinet.slot_for(kid)
        try:
            spki = self._native.import_key(slot, handles[0])
        except HolderFaultError:
            self._cabinet.release(slot)
            raise
        change = first_state(KeyState.ACTIVE, self._now(), "imported")
        return to_json(self._cabinet.add(kid, rules, spki, slot, change, "imported").describe())

    def _backup(self, handles: list[int]) -> bytes:
        """The last descriptor is where to write, the others are one PIN or two."""
        if not 2 <= len(handles) <= 3:
            raise HolderRequestError("a backup needs one PIN or two, and a file")
        data, out = self._cabinet.backup(handles[:-1]), handles[-1]
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(out, view) :]
            os.fsync(out)
        except OSError as error:
            raise HolderFileError(f"the backup cannot be written: {error.strerror}") from error
        return to_json({"keys": len(self._cabinet.keys), "pins": len(handles) - 1})


def _signature(answer: bytes | None) -> bytes:
    if answer is None:
        raise HolderFaultError("the signature failed, or did not hold, and was not given out")
    return answer
