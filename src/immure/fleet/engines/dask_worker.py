"""What runs in the workers of a Dask cluster. They need the same release of Immure, and nothing else of
ours.

The question is kept by the scheduler as a plugin, so that workers which join later get it, too.
"""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from immure.fleet.engines.private import keep_out_of_dumps
from immure.fleet.results import Failure
from immure.fleet.tasks import Question
from immure.fleet.wire import pack, unpack
from immure.fleet.work import answer

#: Questions by the run that asks.
_QUESTIONS: dict[str, Question] = {}


class QuestionPlugin(WorkerPlugin):
    """Gives a worker the question of a run, and takes it away again."""

    def __init__(self, run: str, question: bytes) -> None:
        self.name = run
        self._question = question

    def setup(self, worker: Any) -> None:
        """A worker joins."""
        # its /proc stays readable: the cluster's own monitor looks there
        keep_out_of_dumps(others_too=False)
        _QUESTIONS[self.name] = unpack(self._question)

    def teardown(self, worker: Any) -> None:
        """The run is over."""
        _QUESTIONS.pop(self.name, None)


def run_packed(run: str, task: bytes) -> bytes:
    """A packed task of a run, done; the packed answer."""
    question = _QUESTIONS.get(run)
    if question is None:
        return pack(Failure("the worker does not know the question (yet)", passes=True))
    return answer(question, task)


def is_ready(run: str) -> bool:
    """Whether the worker can be asked."""
    return run in _QUESTIONS
