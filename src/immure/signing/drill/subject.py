"""The signing service, but for what keeps its memory out of dumps: so that there is a dump to look at.

    python -m immure.signing.drill.subject CONFIG

``immure serve signing`` leaves no core, and its key holder no debugger in. What there would be in a core, if
there were one all the same, is seen only without both. Nothing else differs.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Any, Final, cast

from immure.signing.settings_file import read_settings

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_WORKER: Final = "immure.signing.drill.subject:worker"


def worker() -> Any:
    """The application in a worker process: may leave a core, and has a holder without its guard."""
    _allow_dumps()
    from immure.signing import service
    from immure.signing.holder_keys import HolderKeys
    from immure.signing.worker import worker_application

    opened = service.open_keys

    def open_keys(uri: str) -> Any:
        keys = opened(uri)
        if isinstance(keys, HolderKeys):
            keys._options["guard"] = False
        return keys

    service.open_keys = open_keys
    return worker_application()


def _allow_dumps() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def main(config: str) -> None:
    """Serve until stopped."""
    from immure.introspection.serve import serve

    _allow_dumps()
    serve(cast(Any, read_settings(config)), config, {}, _WORKER)


if __name__ == "__main__":
    main(sys.argv[1])
