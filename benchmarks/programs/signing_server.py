"""The signing service as `immure serve signing` runs it; with ``off``, without its ledger.

signing_server.py SETTINGS on|off
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from typing import Any

from immure.cli import serve_signing
from immure.introspection.serve import serve
from immure.introspection.worker import CONFIG
from immure.ledger.errors import LedgerError
from immure.ledger.row import Issued
from immure.ledger.sqlite_store import SqliteLedger
from immure.signing.settings_file import read_settings
from immure.signing.worker import Supervisor

_numbers = itertools.count(1)


class Nowhere(SqliteLedger):
    """Counts rows, and forgets them."""

    def append(self, rows: Sequence[Issued]) -> list[int | LedgerError]:
        return [next(_numbers) for _ in rows]


def without_ledger() -> Any:
    """The application in a worker process."""
    from immure.signing import service

    service.open_ledger = lambda place, **options: Nowhere(place)  # type: ignore[attr-defined,assignment]
    return serve_signing.worker()


if __name__ == "__main__":
    path, ledger = sys.argv[1:]
    os.environ[CONFIG] = path
    settings: Any = read_settings(path)
    worker = "immure.cli.serve_signing:worker"
    if ledger == "off":
        os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
        worker = "signing_server:without_ledger"
    serve(settings, path, {}, worker, Supervisor)
