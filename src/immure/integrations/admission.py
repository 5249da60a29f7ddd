"""That a request was let in, kept with the request, so that its token is looked at once.

A middleware lets a request in, and a decorator behind it asks for a scope. To check the token again would
cost a second signature, write a second decision, and never succeed with DPoP, whose proofs are taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from immure.integrations.bearer import Guard, Request
from immure.tokens.claims import Claims

Anything = TypeVar("Anything")

_PUBLIC: Final = "immure_public"
_ASKED: Final = "immure_asked"


@dataclass(frozen=True)
class Admission:
    """Who let a request in, and with which claims."""

    guard: Guard
    claims: Claims


def admit(guard: Guard, request: Request, scopes: Sequence[str], before: Admission | None) -> Admission:
    """Let a request in.

    Args:
        guard: who is asked.
        request: what came.
        scopes: needed besides the guard's.
        before: what this function returned for the same request, if it was asked before. It does not count if
            it was another guard's.

    Raises:
        Refusal: it is not let in.
    """
    if before is None or before.guard is not guard:
        return Admission(guard, guard.check(request, scopes=scopes))
    guard.check_scopes(before.claims, scopes)
    return before


async def aadmit(
    guard: Guard, request: Request, scopes: Sequence[str], before: Admission | None
) -> Admission:
    """As :func:`admit`, without blocking while keys are fetched."""
    if before is None or before.guard is not guard:
        return Admission(guard, await guard.acheck(request, scopes=scopes))
    guard.check_scopes(before.claims, scopes)
    return before


def public(view: Anything) -> Anything:
    """Marks a view, handler or method that is for anybody, where all others are protected.

    It says so for itself only: a class that is derived from a public one is not public.
    """
    setattr(_function(view), _PUBLIC, True)
    return view


def is_public(view: Any) -> bool:
    """Whether it is marked."""
    return _marks(view).get(_PUBLIC) is True


def asks(view: Any, guard: Guard, scopes: Sequence[str]) -> None:
    """Marks a view that asks for scopes itself, so that what stands before it can say which."""
    setattr(view, _ASKED, (guard, (*asked_by(view, guard), *scopes)))


def asked_by(view: Any, guard: Guard) -> tuple[str, ...]:
    """Scopes for which the view will ask that guard."""
    whom, scopes = _marks(view).get(_ASKED, (None, ()))
    return tuple(scopes) if whom is guard else ()


def _marks(view: Any) -> dict[str, Any]:
    found: dict[str, Any] = getattr(_function(view), "__dict__", {})
    return found


def _function(view: Any) -> Any:
    return getattr(view, "__func__", view)
