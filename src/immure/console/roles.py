"""What a person may do at the console, in each tenant.

>>> Role.RESPONDER >= Role.VIEWER
True
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


class Role(IntEnum):
    """Each may do what the ones before it may."""

    VIEWER = 1
    RESPONDER = 2
    APPROVER = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """As settings and pages have it."""
        return self.name.lower()


def need(request: Request, role: Role) -> None:
    """Raises HTTPException 403 unless who asks has at least this role in the tenant of the request."""
    from starlette.exceptions import HTTPException

    if request.state.role < role:
        raise HTTPException(
            403, f"this takes the role {role.word}, and yours here is {request.state.role.word}"
        )
