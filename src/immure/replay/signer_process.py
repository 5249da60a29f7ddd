"""The consumer's signing service, but its front end may leave a core: as that of 2021 did.

    python -m immure.replay.signer_process CONFIG

``immure serve signing`` keeps its memory out of dumps. Here the front end does not, so that there is a dump
to follow. A key holder, if there is one, keeps every guard that it has; nothing else differs.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Any, Final, cast

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_WORKER: Final = "immure.replay.signer_process:worker"


def worker() -> Any:
    """The application in a worker process, which may leave a core."""
    _allow_dumps()
    from immure.signing.worker import worker_application

    return worker_application()


def _allow_dumps() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def main(config: str) -> None:
    """Serve until stopped."""
    from immure.introspection.serve import serve
    from immure.signing.settings_file import read_settings
    from immure.signing.worker import Supervisor

    _allow_dumps()
    serve(cast(Any, read_settings(config)), config, {}, _WORKER, Supervisor)


if __name__ == "__main__":
    main(sys.argv[1])
