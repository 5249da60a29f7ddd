"""Found by Python in the workers of tests (PYTHONPATH): images with certain names kill, hang or dawdle.

``poison`` in a path: the worker is ended by SIGKILL, as by the kernel when memory is out. ``once``: only the
first time. ``slow``: the first attempt takes a minute. ``broken``: every attempt fails; ``flaky``: the first.
"""

import os
import signal
import time
from pathlib import Path


def _first(path: str) -> bool:
    mark = Path(os.environ["IMMURE_SABOTAGE"]) / f"{Path(path).name}.mark"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _install() -> None:
    from immure.fleet import work
    from immure.fleet.errors import StoreError

    plain = work._run

    def sabotaged(question: object, task: object) -> object:
        name = Path(task.place.url).name  # type: ignore[attr-defined]
        if "poison" in name and ("once" not in name or _first(name)):
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in name and _first(name):
            time.sleep(60)
        if "broken" in name or ("flaky" in name and _first(name)):
            raise StoreError("the store says: not now", path=task.place.url)  # type: ignore[attr-defined]
        if "long" in name:
            time.sleep(0.5)
        return plain(question, task)  # type: ignore[arg-type]

    work._run = sabotaged  # type: ignore[assignment]


if "IMMURE_SABOTAGE" in os.environ:
    _install()
