"""Run the server: sockets, workers, signals. uvicorn does the HTTP.

A supervisor holds the socket and starts the workers. SIGTERM lets them finish what they have in hand; SIGHUP
brings up a new worker with the settings as they are now, and stops an old one only when the new one serves:
if the settings have become wrong, the old workers stay.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from immure.introspection.errors import ServeError
from immure.introspection.serving import usual_options
from immure.introspection.settings import Listen, Settings
from immure.introspection.sockets import listening_socket
from immure.introspection.worker import CANNOT_BEGIN, CONFIG, LISTEN

_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
_MOST_CONNECTIONS: Final = 8192


def serve(
    settings: Settings,
    path: str,
    listen: Mapping[str, Any],
    worker: str,
    supervisor: type[Multiprocess] = Multiprocess,
) -> None:
    """Serve until stopped.

    Args:
        settings: as they are now; workers read them again.
        path: of the settings.
        listen: what counts instead of their table ``listen``.
        worker: ``module:function`` that makes the application in a worker.
        supervisor: what starts the workers, and hears signals.

    Raises:
        UsageError: the socket cannot be had.
        ServeError: a worker cannot begin.
    """
    _allow_connections()
    listening = listening_socket(settings.listen)
    os.environ[CONFIG], os.environ[LISTEN] = os.path.abspath(path), json.dumps(dict(listen))
    with tempfile.TemporaryDirectory(prefix="immure-metrics-") as directory:
        if settings.listen.workers > 1:
            os.environ[_METRICS] = directory
        running = supervisor(_config(settings.listen, worker), [listening])
        running.run()
    if settings.listen.unix is not None and not settings.listen.inherited:
        settings.listen.unix.unlink(missing_ok=True)
    if any(process.exitcode == CANNOT_BEGIN for process in running.processes):
        raise ServeError("a worker cannot begin: the journal says why")


def _allow_connections() -> None:
    """As many open files as the administrator allows; what is usual (1024) would be too few connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _config(listen: Listen, worker: str) -> uvicorn.Config:
    return uvicorn.Config(
        worker,
        factory=True,
        workers=listen.workers,
        loop="uvloop",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=75,
        **usual_options(),
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
    )


if sys.platform == "win32":
    raise ImportError("the server needs a Unix system")
