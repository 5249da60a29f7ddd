"""Ready: every source of keys has answered once, and the log can be written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from immure.errors import KeySourceError
from immure.introspection.journal import Journal
from immure.tokens.acceptance.log import AcceptanceLog
from immure.tokens.errors import TokenError
from immure.tokens.source import KeySource

#: Seconds from one look at a source to the next, as long as it has not answered.
_PAUSE: Final = 1.0


class Readiness:
    """Asks each source until it has answered.

    Args:
        sources: by the names of their issuers.
        log: of acceptances.
        journal: is told when all have answered.
    """

    def __init__(self, sources: Mapping[str, KeySource], log: AcceptanceLog | None, journal: Journal) -> None:
        self._waited = dict(sources)
        self._log, self._journal = log, journal

    @property
    def lacking(self) -> list[str]:
        """What is not ready: names of issuers, and the log."""
        failed = self._log is not None and self._log.error is not None
        return [*sorted(self._waited), *(["acceptance log"] if failed else [])]

    async def wait(self) -> None:
        """Returns when every source has answered once."""
        while self._waited:
            for issuer, source in list(self._waited.items()):
                if await _answers(source):
                    del self._waited[issuer]
            if self._waited:
                await asyncio.sleep(_PAUSE)
        self._journal.write("ready")


async def _answers(source: KeySource) -> bool:
    """Whether a source has keys; which ones does not matter here."""
    try:
        await source.afind(None)
    except KeySourceError:
        return False
    except TokenError:  # it answered: not with one key, as nobody named one
        return True
    return True
