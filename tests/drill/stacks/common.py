"""What the Python programs of the drill share: their arguments, and the wait for the crash.

``PROGRAM sign|verify DIRECTORY KIND...``: sign (or only verify) 200 times with each kind of key, print
``ready``, wait.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

ROUNDS = 200


def run(sign: Callable[[str, Path], object], verify: Callable[[str, Path], object]) -> None:
    """Do the work, keep what it returns alive, and wait to be ended."""
    mode, directory, *kinds = sys.argv[1:]
    work = {"sign": sign, "verify": verify}[mode]
    alive = [work(kind, Path(directory)) for kind in kinds]
    print("ready", flush=True)
    while alive:
        signal.pause()
