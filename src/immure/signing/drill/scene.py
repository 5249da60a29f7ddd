"""One service, and the crashes of it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.errors import ImmureError
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.signing.drill.backend import Backend
from immure.signing.drill.canaries import Canary
from immure.signing.drill.errors import EndedError, GoneError
from immure.signing.drill.house import TURNING, URL, House
from immure.signing.drill.looking import Mode, Residue, look
from immure.signing.drill.redacting import Redactions
from immure.signing.drill.report import Part, Report, Row
from immure.signing.drill.service import MOST_HOLDERS, Running
from immure.signing.drill.trials import Trial
from immure.signing.drill.ways import Taken, take

_TRIES: Final = 3
#: Seconds within which a key that may not sign any more is replaced: a crash falls into that time.
_ROTATION: Final = 1.4
#: Seconds from the start of a front end until its keys are loaded, and a little more.
_LOADING: Final = 1.0


@dataclass(frozen=True)
class Scene:
    """What is on the scene.

    Attributes:
        images: where memory is written to for a moment.
        cores: where the kernel's cores arrive (:func:`~immure.signing.drill.ways.take`).
        bare: whether the service is without what keeps its memory out of dumps.
        mode: of the search for keys by their public halves.
        done: told of each crash.
        stopped: nothing is searched any more once it is set.
    """

    house: House
    backend: Backend
    canary: Canary
    images: Path
    cores: Path | None
    bare: bool
    mode: Mode
    draw: random.Random
    report: Report
    redactions: Redactions
    done: Callable[[], None]
    stopped: threading.Event

    def play(self, service: Running, trials: Sequence[Trial]) -> None:
        """Crash after crash; files are searched while the service comes up again."""
        with ThreadPoolExecutor(1) as searcher:
            player = _Player(self, service, searcher)
            for trial in trials:
                try:
                    if not player.tried(trial):
                        continue
                except EndedError as error:
                    self.report.again(error.reason)
                    break
                self.done()
                player.let_search(1)
                if service.holders_killed >= MOST_HOLDERS:
                    break
            player.let_search(0)

    def look_at_files(self) -> None:
        """What the service has written: registry, ledger, state, journal."""
        if self.stopped.is_set():
            return
        with suppress(OSError):
            self.house.socket.unlink()
        self.row("files", "left", must_be_clean=True).count(self.look(self.house.directory), moment="end")

    def row(self, part: Part, way: str, *, must_be_clean: bool) -> Row:
        """Where it is counted."""
        guards = "off" if self.bare else "as shipped"
        return self.report.row(self.backend.name, part, way, guards, must_be_clean)

    def look(self, directory: Path) -> Residue:
        """What is in a directory of files."""
        if not any(directory.iterdir()):
            return Residue()
        return look(directory, self.house.publics(), [self.canary], self.mode)


class _Player:
    def __init__(self, scene: Scene, service: Running, searcher: ThreadPoolExecutor) -> None:
        self._scene, self._service, self._searcher = scene, service, searcher
        self._waiting: list[Future[None]] = []
        self._is_fresh = True

    def let_search(self, most: int) -> None:
        """Wait until no more than so many images wait to be searched: they take room on the disk."""
        while len(self._waiting) > most:
            self._waiting.pop(0).result()

    def tried(self, trial: Trial) -> bool:
        """Whether it was done, within three tries: a process may be gone before it is its turn."""
        for _ in range(_TRIES):
            try:
                self._try(trial)
            except GoneError as error:
                self._scene.report.again(error.reason)
            else:
                return True
        return False

    def _try(self, trial: Trial) -> None:
        scene, service = self._scene, self._service
        service.ask(True)
        pid, moment = self._await_moment(trial)
        taken = take(trial.way, pid, service, scene.images, scene.cores)
        row = self._row(trial)
        if taken.is_fatal:
            self._is_fresh = True
            service.holders_killed += trial.part == "holder"
        if taken.target is None:
            row.count(None, moment=moment, note=taken.note)
        elif taken.is_live:
            self._search(row, taken, moment)
        else:
            self._waiting.append(self._searcher.submit(self._search, row, taken, moment))
        service.ask(False)
        if trial.way == "oom" and service.cage is not None and service.cage.holds:
            service.cage.kill()

    def _row(self, trial: Trial) -> Row:
        backend = self._scene.backend
        must = trial.part == "redactor" or (backend.must_be_clean and trial.part != "token")
        return self._scene.row(trial.part, trial.way, must_be_clean=must)

    # --- the moment ---

    def _await_moment(self, trial: Trial) -> tuple[int, str]:
        """Wait for the moment of a crash; the process that is then to be crashed, and what moment it is."""
        draw, service = self._scene.draw, self._service
        pause, loading, turning = draw.uniform(0, 0.3), draw.uniform(0, _LOADING), draw.uniform(0, _ROTATION)
        if trial.moment == "key load" and self._is_fresh:
            front = service.front()
            self._is_fresh = False
            time.sleep(loading)
            return front if trial.part == "front end" else self._pid(trial), trial.moment
        service.await_tokens()
        self._is_fresh = False
        if trial.moment == "rotation":
            self._compromise()
            time.sleep(turning)
        else:
            time.sleep(pause)
        return self._pid(trial), "load" if trial.moment == "key load" else trial.moment

    def _pid(self, trial: Trial) -> int:
        if trial.part == "holder":
            return self._service.holder()
        if trial.part == "token":
            pids = self._scene.backend.token_processes()
            if not pids:
                raise GoneError("the token's process is gone")
            return max(pids)
        return self._service.front()

    def _compromise(self) -> None:
        """A key that signs may not sign any more: the service makes another one within a second."""
        with open_store(str(self._scene.house.directory / "keys.db")) as store, suppress(ImmureError):
            for record in store.records():
                if record.issuer == f"{URL}/{TURNING}" and record.state is KeyState.ACTIVE:
                    store.change_state(record.thumbprint, KeyState.COMPROMISED, reason="a drill", by="drill")

    # --- the search ---

    def _search(self, row: Row, taken: Taken, moment: str) -> None:
        """Look at an image, which is gone afterwards."""
        target = str(taken.target)
        try:
            if self._scene.stopped.is_set():
                return
            if row.part == "redactor":
                self._redact(row, Path(target))
                return
            scene = self._scene
            mode: Mode = "quick" if taken.is_live else scene.mode
            residue = look(target, scene.house.publics(), [scene.canary], mode)
            if taken.is_live and residue.error and residue.is_clean:
                row.count(None, moment=moment, note="it ended while it was searched")
            else:
                row.count(residue, moment=moment)
        finally:
            if not taken.is_live:
                Path(target).unlink(missing_ok=True)

    def _redact(self, row: Row, image: Path) -> None:
        scene = self._scene
        left, sent = scene.redactions.interrupt(image, scene.house.publics(), bare=scene.bare)
        words = "it had ended before" if sent is None else f"killed by {signal.Signals(sent).name}"
        row.count(scene.look(left), moment=words)
        shutil.rmtree(left)


def free_of_cores(cores: Path | None) -> int:
    """Remove cores that nobody asked for; how many there were: somebody else crashed, or our service did by
    itself."""
    if cores is None:
        return 0
    found = list(cores.glob("core.*"))
    for core in found:
        os.unlink(core)
    return len(found)
