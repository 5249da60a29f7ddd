"""The race of the incident: what a redaction leaves that was killed."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

from immure.signing.drill.canaries import Canary
from immure.signing.drill.looking import look
from immure.signing.drill.redacting import Redactions
from immure.synth import ordinary_memory


def test_the_first_one_runs_to_its_end_and_others_are_killed(tmp_path: Path) -> None:
    canary = Canary.make("ES256")
    scalar = canary.private.d.reveal().to_bytes(32, "little")  # type: ignore[union-attr]
    image = tmp_path / "memory.raw"
    image.write_bytes(ordinary_memory(1 << 20, seed=1) + scalar + ordinary_memory(1 << 20, seed=2))
    redactions = Redactions(tmp_path, random.Random(3), None, threading.Event())
    left, sent = redactions.interrupt(image, [canary.public], bare=True)
    assert sent is None
    assert (left / "redacted").stat().st_size == image.stat().st_size
    assert look(left, [], [canary]).is_clean
    for _ in range(2):
        left, sent = redactions.interrupt(image, [canary.public], bare=True)
        assert sent in (None, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
        assert not any(left.iterdir()) or look(left, [], [canary]).is_clean
    assert not look(image, [], [canary]).is_clean  # it was there to be taken out
