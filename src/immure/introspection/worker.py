"""A worker process: ends with its supervisor, and with a status that says so if it cannot begin."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, Final, NoReturn

from immure.errors import ImmureError
from immure.introspection.app import IntrospectionApp, application
from immure.introspection.journal import Journal
from immure.introspection.settings_file import read_settings

#: Where a worker finds the settings, and what counts instead of its table ``listen`` (JSON).
CONFIG: Final = "IMMURE_INTROSPECTION_CONFIG"
LISTEN: Final = "IMMURE_INTROSPECTION_LISTEN"
#: As uvicorn has it: a worker that ends so is not started again.
CANNOT_BEGIN: Final = 3
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def worker_application() -> IntrospectionApp:
    """The application in a worker process. Ends the process if the settings are wrong."""
    _end_with_parent()
    listen: dict[str, Any] = json.loads(os.environ.get(LISTEN, "{}"))
    try:
        return application(read_settings(os.environ[CONFIG], listen))
    except ImmureError as error:
        _give_up(error)


def _give_up(error: ImmureError) -> NoReturn:
    Journal(sys.stderr).write("cannot-begin", code=error.code, reason=str(error))
    sys.exit(CANNOT_BEGIN)


def _end_with_parent() -> None:
    """SIGTERM if the supervisor dies without a word: nobody would start a worker again that dies, too."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
