"""What pages show that takes long to make: made at the start, every minute, and by ``--refresh-only``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from immure.console.pages import PAGES
from immure.console.tenant import Tenant
from immure.errors import ImmureError

_SECONDS: Final = 60.0


def refresh_all(tenants: Mapping[str, Tenant], told: Callable[..., None]) -> int:
    """Make it for all tenants; how many pages could not be made anew, of each of which ``told`` is told."""
    failed = 0
    for tenant in tenants.values():
        for page in PAGES:
            if page.refresh is None or not page.is_there(tenant.settings):
                continue
            try:
                page.refresh(tenant)
            except (ImmureError, OSError) as error:
                failed += 1
                told("not-refreshed", tenant=tenant.name, page=page.name, reason=str(error))
    return failed


@contextlib.asynccontextmanager
async def upkeep(tenants: Mapping[str, Tenant], told: Callable[..., None]) -> AsyncIterator[None]:
    """Do so in the background, until the end of the block."""

    async def work() -> None:
        while True:
            await asyncio.to_thread(refresh_all, tenants, told)
            await asyncio.sleep(_SECONDS)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
