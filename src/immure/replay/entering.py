"""Start a program in the network of a room, with the socket that it is asked by as descriptor 3.

    python -m immure.replay.entering NETWORK SOCKET PROGRAM ARGUMENT...

Both are descriptors that this process inherits. Its one thread moves there; then the program takes its
place, with the same process id.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from immure.replay.networks import enter

_FIRST: Final = 3  # SD_LISTEN_FDS_START


def main(network: int, listening: int, words: list[str]) -> None:
    """Never returns; raises OSError."""
    enter(network)
    os.set_inheritable(network, False)
    os.dup2(listening, _FIRST)
    if listening != _FIRST:
        os.close(listening)
    os.execv(words[0], words)  # noqa: S606 - our own program


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
