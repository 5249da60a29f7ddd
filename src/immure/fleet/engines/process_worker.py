"""What runs in a worker process: a question, then tasks, each with its answer, over standard input and
output."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

from immure.fleet.engines.frames import read_frame, write_frame
from immure.fleet.engines.private import keep_out_of_dumps
from immure.fleet.wire import unpack
from immure.fleet.work import answer

#: What a message begins with that is a question, and no task.
QUESTION: Final = b"question:"


def serve() -> None:
    """Answer until the coordinator is gone."""
    keep_out_of_dumps(others_too=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator, which ends us
    # whatever prints must not print into the answers
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    stream = sys.stdin.buffer
    question = None
    while (message := read_frame(stream)) is not None:
        if message.startswith(QUESTION):
            question = unpack(message[len(QUESTION) :])
        elif question is not None:
            write_frame(output, answer(question, message))


if __name__ == "__main__":
    serve()
