"""The life of a key (NIST SP 800-57 part 1, revision 5, section 7).

>>> KeyState.ACTIVE.may_become(KeyState.COMPROMISED), KeyState.COMPROMISED.may_become(KeyState.ACTIVE)
(True, False)
>>> KeyState.DEACTIVATED.verifies
True
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class KeyState(Enum):
    """Where a key is in its life."""

    PRE_ACTIVE = "pre-active"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"

    @property
    def signs(self) -> bool:
        """Whether new tokens may be signed with it."""
        return self is KeyState.ACTIVE

    @property
    def verifies(self) -> bool:
        """Whether tokens that it signed while it was active may be accepted."""
        return self in (KeyState.ACTIVE, KeyState.DEACTIVATED)

    def may_become(self, other: KeyState) -> bool:
        """Whether there is a transition from this state to the other."""
        return other in _TRANSITIONS[self]


_TRANSITIONS: Final = {
    KeyState.PRE_ACTIVE: {KeyState.ACTIVE, KeyState.COMPROMISED, KeyState.DESTROYED},
    KeyState.ACTIVE: {KeyState.SUSPENDED, KeyState.DEACTIVATED, KeyState.COMPROMISED},
    KeyState.SUSPENDED: {KeyState.ACTIVE, KeyState.DEACTIVATED, KeyState.COMPROMISED},
    KeyState.DEACTIVATED: {KeyState.COMPROMISED, KeyState.DESTROYED},
    KeyState.COMPROMISED: {KeyState.DESTROYED},
    KeyState.DESTROYED: set[KeyState](),
}
