"""The holder's keys: opened from the key file, kept in it, counted, and asked for by name.

Every change is in the file before anybody is told of it. Counts are kept ahead: the file holds a number up
to which may be signed before it is written again. A holder that is killed goes on from there, so a count
may be too high by that much after it, and is never too low.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from immure.custody.keyholder.errors import (
    HolderFaultError,
    HolderFileError,
    HolderKeyError,
    HolderPinError,
    HolderRequestError,
    RefusedQuotaError,
    RefusedStateError,
)
from immure.custody.keyholder.held_key import HeldKey, Rules, changed, is_kid
from immure.custody.keyholder.key_file import KeyFile
from immure.custody.keyholder.native import FILE, OTHER, SLOTS, Native
from immure.custody.keyholder.rules import TokenRules, check_window
from immure.custody.keyholder.sealed import (
    MOST_KEYS,
    SALT_BYTES,
    Seal,
    Sealed,
    parse_body,
    parse_sealed,
    whole_file,
    write_body,
)
from immure.registry.record import StateChange
from immure.registry.state import KeyState

#: How far the count in the file is ahead at most.
BLOCK: Final = 4096
_RESTORED: Final = ", restored"


class Cabinet:
    """The keys of one file. ``version`` counts how often it was written."""

    def __init__(self, native: Native, file: KeyFile) -> None:
        self._native = native
        self._file = file
        self._seal: Seal | None = None
        self._free = set(range(SLOTS))
        self.version = 0
        self.keys: dict[str, HeldKey] = {}
        self._rules: dict[str, TokenRules] = {}

    # --- the file ---

    def create(self, handles: Sequence[int], cost: tuple[int, int, int]) -> None:
        """Begin a new file under these PINs; raises HolderFileError if there is one."""
        if self._file.exists():
            raise HolderFileError("is there already; keys are never overwritten", path=self._file.path)
        self._seal = self._new_seal(FILE, handles, cost)
        self.save()

    def open(self, handles: Sequence[int]) -> None:
        """Open the file; raises HolderFileError, HolderPinError, HolderFaultError."""
        self._seal, self.version, keys = self._unlock(self._file.read(), FILE, handles, self._file.path)
        for key in keys:
            self._load(key, FILE)

    def restore(
        self,
        data: bytes,
        path: str,
        backup: Sequence[int],
        handles: Sequence[int],
        cost: tuple[int, int, int],
    ) -> None:
        """Begin a new file with the keys of a backup, each sealed anew; ``origin`` says so."""
        if self._file.exists():
            raise HolderFileError("is there already; keys are never overwritten", path=self._file.path)
        _, self.version, keys = self._unlock(data, OTHER, backup, path)
        self._seal = self._new_seal(FILE, handles, cost)
        for key in keys:
            self._load(key, OTHER)
            if key.slot >= 0:
                key.sealed = self._native.wrap(FILE, key.slot, key.about)
            key.origin = f"{key.origin.removesuffix(_RESTORED)}{_RESTORED}"
        self._native.forget(OTHER)
        self.save()

    def backup(self, handles: Sequence[int]) -> bytes:
        """A file of the same keys under other PINs, which are stretched as the file's are."""
        if self._seal is None:
            raise HolderFaultError("the key file is not open")
        seal = self._new_seal(OTHER, handles, self._seal.cost)
        try:
            keys = [
                HeldKey(key.kid, key.rules, key.spki, key.origin, key.history, sealed, key.reserved)
                for key in self.keys.values()
                for sealed in (self._native.wrap(OTHER, key.slot, key.about) if key.slot >= 0 else b"",)
            ]
            covered = seal.header() + b"\n" + write_body(self.version, keys)
            return whole_file(covered, self._native.mac(OTHER, covered))
        finally:
            self._native.forget(OTHER)

    def save(self) -> None:
        """Write the file; raises HolderFileError, and then nothing has changed on the disk."""
        if self._seal is None:
            raise HolderFaultError("the key file is not open")
        covered = self._seal.header() + b"\n" + write_body(self.version + 1, list(self.keys.values()))
        self._file.replace(whole_file(covered, self._native.mac(FILE, covered)))
        self.version += 1

    def _new_seal(self, number: int, handles: Sequence[int], cost: tuple[int, int, int]) -> Seal:
        seal = Seal(cost, tuple(self._native.random(SALT_BYTES) for _ in handles))
        seal.check(self._file.path)
        self._native.derive(number, handles, b"".join(seal.salts), cost)
        return seal

    def _unlock(
        self, data: bytes, number: int, handles: Sequence[int], path: str
    ) -> tuple[Seal, int, list[HeldKey]]:
        sealed: Sealed = parse_sealed(data, path)
        if len(handles) != len(sealed.seal.salts):
            raise HolderPinError(f"is under {len(sealed.seal.salts)} PINs, {len(handles)} given", path=path)
        self._native.derive(number, handles, b"".join(sealed.seal.salts), sealed.seal.cost)
        if not self._native.mac_holds(number, sealed.covered, sealed.code):
            raise HolderPinError("wrong PIN, or the file was altered", path=path)
        return sealed.seal, *parse_body(sealed.body, path)

    def _load(self, key: HeldKey, seal: int) -> None:
        if key.sealed and key.state is not KeyState.DESTROYED:
            key.slot = self._free.pop()
            if self._native.unwrap(seal, key.slot, key.sealed, key.about) != key.spki:
                raise HolderFaultError(f"the halves of key {key.kid!r} do not belong together")
        self._keep(key)

    def _keep(self, key: HeldKey) -> None:
        self.keys[key.kid] = key
        self._rules[key.kid] = TokenRules(key.kid, key.rules)

    # --- keys ---

    def find(self, kid: str) -> HeldKey:
        """The key of that name; raises HolderKeyError."""
        key = self.keys.get(kid)
        if key is None:
            raise HolderKeyError(f"there is no key {kid[:80]!r}")
        return key

    def rules_of(self, kid: str) -> TokenRules:
        """What it may sign."""
        return self._rules[kid]

    def slot_for(self, kid: str) -> int:
        """A slot for a new key of that name; raises HolderKeyError, HolderRequestError."""
        if not is_kid(kid):
            raise HolderRequestError("a kid is a text of up to 128 printable characters")
        self._check_free(kid)
        self._make_room()
        return self._free.pop()

    def _make_room(self) -> None:
        """Forget the oldest destroyed key, if there are as many as a file may have; raises HolderKeyError."""
        if len(self.keys) < MOST_KEYS and self._free:
            return
        gone = next((key.kid for key in self.keys.values() if key.state is KeyState.DESTROYED), None)
        if gone is None or not self._free:
            raise HolderKeyError(f"there are {MOST_KEYS} keys, none of them destroyed: no room for more")
        del self.keys[gone], self._rules[gone]

    def _check_free(self, kid: str) -> None:
        if kid in self.keys:
            raise HolderKeyError(f"there is a key {kid!r} already")

    def add(
        self, kid: str, rules: Rules, spki: bytes, slot: int, change: StateChange, origin: str
    ) -> HeldKey:
        """Keep a new key, in the file before this returns."""
        key = HeldKey(kid, rules, spki, origin, (change,), slot=slot)
        try:
            self._check_free(kid)
            rules.fits(key.public)
            key.sealed = self._native.wrap(FILE, slot, key.about)
            self._keep(key)
            self.save()
        except BaseException:
            if self.keys.get(kid) is key:
                del self.keys[kid], self._rules[kid]
            self.release(slot)
            raise
        return key

    def release(self, slot: int) -> None:
        """Give a slot back, wiped."""
        self._native.drop(slot)
        self._free.add(slot)

    def set_state(self, kid: str, state: KeyState, reason: str, now: datetime) -> HeldKey:
        """Bring a key into another state; destroyed means that its private half is gone from the file too."""
        key = self.find(kid)
        before = key.history, key.sealed
        key.history = changed(key, state, now, reason)
        if state is KeyState.DESTROYED:
            key.sealed = b""
        try:
            self.save()
        except BaseException:
            key.history, key.sealed = before
            raise
        if state is KeyState.DESTROYED and key.slot >= 0:
            self.release(key.slot)
            key.slot = -1
        return key

    # --- counting ---

    def check_ready(self, key: HeldKey, now: float) -> None:
        """Whether a key may sign at all, now; raises RefusedStateError or RefusedQuotaError."""
        if not key.state.signs or key.slot < 0:
            raise RefusedStateError(f"key {key.kid!r} is {key.state.value}")
        check_window(key.rules.scope, now)
        if key.rules.quota is not None and key.used >= key.rules.quota:
            raise RefusedQuotaError(f"key {key.kid!r} has signed {key.used} times, as often as it may")

    def count(self, key: HeldKey) -> None:
        """One signature more; raises HolderFileError if the count cannot be kept, and then none is made."""
        if key.used >= key.reserved:
            before, quota = key.reserved, key.rules.quota
            ahead = BLOCK if quota is None else max(1, min(BLOCK, (quota - key.used) // 16))
            key.reserved = key.used + ahead
            try:
                self.save()
            except BaseException:
                key.reserved = before
                raise
        key.used += 1

    def close(self) -> None:
        """Write the counts as they are."""
        if any(key.reserved != key.used for key in self.keys.values()):
            for key in self.keys.values():
                key.reserved = key.used
            self.save()


def first_state(state: KeyState, now: datetime, reason: str) -> StateChange:
    """The beginning of a history; raises HolderRequestError."""
    if state not in (KeyState.PRE_ACTIVE, KeyState.ACTIVE):
        raise HolderRequestError(f"a new key is pre-active or active, not {state.value}")
    return StateChange(state, now.astimezone(UTC), reason)
