"""The incident's race: a redaction that is killed on its way. Nothing of a key may be in what it leaves.

The image that it redacts is not looked at again: it is whatever the crash left. A core of the redactor
itself, which knows by then which keys it found, belongs to what it leaves.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from immure.keymaterial.key import PublicKey
from immure.signing.drill.ways import core_of

_SIGNALS: Final = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
_LONGEST: Final = 300.0


class Redactions:
    """Redactions of one backend's images: the first of each kind runs to its end and says how long it takes.

    Args:
        directory: for what they leave.
        cores: where the kernel's cores arrive.
        stopped: a redaction is killed at once when it is set.
    """

    def __init__(
        self, directory: Path, draw: random.Random, cores: Path | None, stopped: threading.Event
    ) -> None:
        self._directory, self._draw, self._cores, self._stopped = directory, draw, cores, stopped
        self._seconds: dict[bool, float] = {}

    def interrupt(
        self, image: Path, publics: Sequence[PublicKey], *, bare: bool
    ) -> tuple[Path, signal.Signals | None]:
        """Redact an image, and kill the redactor at a random moment.

        Args:
            bare: which kind of image it is: they differ in size.

        Returns:
            The directory with what it left, and the signal; None if it had ended before.
        """
        place = self._directory / f"redaction-{time.monotonic_ns():x}"
        place.mkdir(mode=0o700)
        share, sent = self._draw.uniform(0.05, 1.0), self._draw.choice(_SIGNALS)
        began = time.monotonic()
        process = self._start(image, publics, place)
        limit = began + share * self._seconds.get(bare, _LONGEST)
        while process.poll() is None and time.monotonic() < limit and not self._stopped.is_set():
            time.sleep(0.01)
        self._seconds.setdefault(bare, time.monotonic() - began)
        if process.poll() is not None:
            return place, None
        process.send_signal(sent)
        process.wait()
        core_of(process.pid, self._cores, place)
        return place, sent

    def _start(self, image: Path, publics: Sequence[PublicKey], place: Path) -> subprocess.Popen[bytes]:
        keys = self._directory / f"{place.name}.json"
        jwks = [{**key.to_jwk(), "kid": key.thumbprint} for key in publics]
        keys.write_text(json.dumps({"keys": jwks}), encoding="utf-8")
        words = ["redact", str(image), "-o", str(place / "redacted"), "--keys", str(keys), "-q"]
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "immure", *words],
            cwd=place,
            env=os.environ | {"TMPDIR": str(place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
