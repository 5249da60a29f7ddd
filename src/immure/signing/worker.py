"""A worker process: starts the service with the server's loop, and ends with its supervisor.

SIGHUP has it read its settings again, without letting go of its keys: another process could not open them
meanwhile.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Coroutine
from socket import socket
from typing import Any, Final

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from immure.errors import ImmureError
from immure.introspection.asgi import Message, Receive, Scope, Send
from immure.introspection.journal import Journal
from immure.introspection.worker import CONFIG, LISTEN
from immure.signing.protocol import SigningProtocol
from immure.signing.service import Service
from immure.signing.settings import Settings
from immure.signing.settings_file import read_settings
from immure.signing.wholes import Answer

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


class ServiceApp:
    """What the HTTP server calls; opens the service when the server begins (ASGI lifespan)."""

    def __init__(self, config: str, listen: dict[str, Any]) -> None:
        self._config = config
        self._listen = listen
        self._service: Service | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._service is not None:
            await self._service.app(scope, receive, send)

    def again(self, data: bytes) -> Coroutine[Any, Any, Answer] | None:
        """See :meth:`SigningApp.again`."""
        return None if self._service is None else self._service.app.again(data)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._service = await Service.start(self._read())
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
        except ImmureError as error:
            Journal(sys.stderr).write("cannot-begin", code=error.code, reason=str(error))
            await send(_said("lifespan.startup.failed"))
            return
        await send(_said("lifespan.startup.complete"))
        await receive()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        await self._service.stop()
        await send(_said("lifespan.shutdown.complete"))

    def _read(self) -> Settings:
        return read_settings(self._config, self._listen)

    def _reload(self) -> None:
        if self._service is not None:
            self._service.reload(self._read)


class Supervisor(Multiprocess):
    """Workers with the service's own HTTP. Hands SIGHUP on to them, instead of starting others."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        config.http = SigningProtocol
        super().__init__(config, sockets)

    def handle_hup(self) -> None:
        """Called soon after the signal."""
        for process in self.processes:
            if process.pid is not None and process.exitcode is None and process.is_ready():
                os.kill(process.pid, signal.SIGHUP)


def worker_application() -> ServiceApp:
    """The application in a worker process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return ServiceApp(os.environ[CONFIG], json.loads(os.environ.get(LISTEN, "{}")))


def _said(kind: str) -> Message:
    return {"type": kind}
