"""The controls that can be switched: what each is, and what there is in its place when it is off.

>>> sorted(chosen(("custody", "gate"), without=["gate"]))
['custody']
>>> sorted(chosen(("custody", "gate"), with_=["gate"]))
['gate']
>>> chosen(("custody",), without=["acess"])  # doctest: +ELLIPSIS
Traceback (most recent call last):
...
immure.errors.UsageError: there is no control 'acess'; there are custody, redact, gate, scan, access, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from immure.errors import UsageError


@dataclass(frozen=True, slots=True)
class Control:
    """Something that may break the chain.

    Attributes:
        name: as users switch it.
        on: what does it, in a few words.
        off: what there is in its place.
        notices: it does not stop the attack; it lets somebody know of it.
    """

    name: str
    on: str
    off: str
    notices: bool = False


_ALL: Final = (
    Control(
        "custody",
        "a process of its own has the key: a token, or the key holder",
        "the key is in the memory of the front end",
    ),
    Control(
        "redact",
        "the dump is redacted, and the copy proved, before it has a name",
        "a search for key texts runs beside whoever moves the dump",
    ),
    Control("gate", "nothing leaves production without a signed clearance", "whoever can copy, copies"),
    Control(
        "scan",
        "immure scan searches what arrives for numbers of keys",
        "a search for key texts",
    ),
    Control(
        "access",
        "accounts of the rooms' own, security keys, and grants that two others approve",
        "a corporate account opens the room",
    ),
    Control("rotation", "the key is retired and replaced on time", "the key signs for ten years"),
    Control(
        "key-scope",
        "a key is accepted for its own issuer and class of audience only",
        "any key of the common endpoint is accepted for any issuer",
    ),
    Control(
        "ledger",
        "accepted tokens are held against those that were issued",
        "nobody compares accepted tokens with issued ones",
        notices=True,
    ),
    Control(
        "mail-log",
        "each access to a mailbox is logged, and its owner has a rule on it",
        "no access to a mailbox is logged",
        notices=True,
    ),
    Control(
        "response",
        "whoever reports it: the key is stopped, denied and replaced, that is proved, and all are told",
        "a report finds nobody who would answer",
        notices=True,
    ),
)
CONTROLS: Final = {one.name: one for one in _ALL}


def chosen(
    applicable: Sequence[str],
    *,
    with_: Iterable[str] = (),
    without: Iterable[str] = (),
    none: bool = False,
) -> frozenset[str]:
    """The controls that are on: all that apply, unless something else is said.

    Args:
        applicable: those that the scenario has.
        with_: only these.
        without: all but these.
        none: as in 2023.

    Raises:
        UsageError: a name is not known, or not of this scenario; or the choices contradict.
    """
    wanted, unwanted = frozenset(with_), frozenset(without)
    if (bool(wanted) + bool(unwanted) + none) > 1:
        raise UsageError("--with, --without and --as-in-2023 contradict one another: take one of them")
    for name in sorted(wanted | unwanted):
        check(name, applicable)
    if wanted or none:
        return wanted
    return frozenset(applicable) - unwanted


def check(name: str, applicable: Sequence[str]) -> None:
    """Raises UsageError if this control cannot be switched here."""
    if name not in CONTROLS:
        raise UsageError(f"there is no control {name[:80]!a}; there are {', '.join(CONTROLS)}")
    if name not in applicable:
        raise UsageError(
            f"the control {name!r} has nothing to do in this scenario; it has {', '.join(applicable)}"
        )
