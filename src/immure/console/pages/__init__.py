"""The pages: a module for each, with

* ``ROUTES``: routes of Starlette below ``/t/TENANT/``; the first is where the menu leads. An endpoint is a
  plain function (it runs in a thread) that takes a request and returns ``render(request, "NAME.html", ...)``;
* ``ROLE``: the role that it takes to look; a deed that takes more calls :func:`immure.console.roles.need`;
* ``stamp(tenant)``, if there can be news: a value that differs once the page would look different, cheap
  enough to be asked for every few seconds (:mod:`immure.console.events`);
* ``refresh(tenant)``, if it shows what takes long to make: that is done at the start and every minute
  (:mod:`immure.console.upkeep`).

``request.state`` has ``tenant``, ``role``, ``person``, ``sessions``, ``told`` (the journal) and, of a POST
that was found to be of our own page, ``form``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.routing import Route

from immure.console.roles import Role
from immure.console.settings import TenantSettings
from immure.console.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        name: of its module, and the first part of its addresses.
        title: in the menu.
        needs: members of a tenant's settings, one of which must be there.
    """

    name: str
    title: str
    needs: tuple[str, ...]

    def is_there(self, tenant: TenantSettings) -> bool:
        """Whether a tenant has it."""
        return any(getattr(tenant, one) for one in self.needs)

    @property
    def routes(self) -> Sequence[Route]:
        """Its routes."""
        routes: Sequence[Route] = self._module.ROUTES
        return routes

    @property
    def role(self) -> Role:
        """Which role it takes to look."""
        role: Role = self._module.ROLE
        return role

    @property
    def stamp(self) -> Callable[[Tenant], Any] | None:
        """Tells whether there is news; None if there never is."""
        stamp: Callable[[Tenant], Any] | None = getattr(self._module, "stamp", None)
        return stamp

    @property
    def refresh(self) -> Callable[[Tenant], None] | None:
        """Makes what takes long; None if nothing does."""
        refresh: Callable[[Tenant], None] | None = getattr(self._module, "refresh", None)
        return refresh

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"immure.console.pages.{self.name}")


#: In the order of the menu.
PAGES: Final = (
    Page("dumps", "Dumps", ("records", "vault")),
    Page("keys", "Keys", ("registry",)),
    Page("tokens", "Tokens", ("accepted", "ledger", "findings")),
    Page("incidents", "Incidents", ("incidents",)),
    Page("access", "Access", ("room",)),
    Page("logs", "Logs", ("logs",)),
    Page("people", "People", ("roles",)),
)
