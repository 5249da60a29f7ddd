"""Sends letters and kills itself at a given step; a process of its own, so that no test goes with it.

    python -m response.notification.killed_process TEMPLATE COPIES KEY PORT EVERY

For each step, or each so-manieth, there is: a copy of the incident TEMPLATE, a process that is killed at that
step, and one that goes on. After each it writes a line and waits for one, so that the test can look at what
came. Steps are what can be seen from outside: before and after each entry of the timeline, each name that
appears, and each letter.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosmtplib

from immure.custody import open_signer
from immure.response.incident import Incident
from immure.response.notification.preparing import prepare_letters
from immure.response.notification.rendering import Templates
from immure.response.notification.sending import send_letters
from immure.response.notification.settings import Pace
from response.notification.making import settings


class Steps:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last

    def step(self) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*given: Any, **named: Any) -> Any:
            self.step()
            result = function(*given, **named)
            self.step()
            return result

        return stepping

    def around_async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def stepping(*given: Any, **named: Any) -> Any:
            self.step()
            result = await function(*given, **named)
            self.step()
            return result

        return stepping


TEMPLATES = Templates()


def work(folder: Path, key: str, port: int, last: int | None) -> None:
    """Write, approve and send; killed at step ``last``."""
    if last is not None:
        steps = Steps(last)
        Incident.add = steps.around(Incident.add)  # type: ignore[method-assign]
        os.rename = steps.around(os.rename)
        aiosmtplib.SMTP.data = steps.around_async(aiosmtplib.SMTP.data)  # type: ignore[method-assign]
    incident = Incident.load(folder, key=open_signer(key))
    given = settings(port, pace=Pace(attempts=1, at_once=1))
    made = prepare_letters(incident, given, TEMPLATES, actor="ann")
    for person in ("bo", "cleo"):
        if person not in incident.approvals(made.letters.digest):
            incident.approve(made.letters.digest, actor=person)
    send_letters(incident, given, actor="ann")


def child(folder: Path, key: str, port: int, last: int | None) -> bool:
    """Whether a process that does the work came to its end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work(folder, key, port, last)
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, status
    return status == 0


def main(template: Path, copies: Path, key: str, port: int, every: int) -> None:
    os.fsync = lambda handle: None  # as in conftest.py: a kill takes nothing of what the kernel has
    work(shutil.copytree(template, copies / "0"), key, port, None)  # loads all that a process needs
    print(0, 0, flush=True)
    sys.stdin.readline()
    number, ended = 1 - every, False
    while not ended:
        number += every
        folder = copies / str(number)
        shutil.copytree(template, folder)
        ended = child(folder, key, port, number)
        if not ended:
            assert child(folder, key, port, None)
        print(number, int(ended), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
