"""The incident's race: a redaction that is killed on its way. Nothing of a key may be in what it leaves.

The image that it redacts is not looked at again: it is whatever the crash left.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from immure.keymaterial.key import PublicKey

_SIGNALS: Final = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
_LONGEST: Final = 300.0


class Redactions:
    """Redactions of one backend's images: the first one runs to its end, and says how long that takes."""

    def __init__(self, directory: Path, draw: random.Random) -> None:
        self._directory = directory
        self._draw = draw
        self._seconds: float | None = None

    def interrupt(self, image: Path, publics: Sequence[PublicKey]) -> Path:
        """Redact an image, and kill the redactor at a random moment; the directory with what it left."""
        place = self._directory / f"redaction-{self._draw.getrandbits(48):012x}"
        place.mkdir(mode=0o700)
        keys = self._directory / "keys.json"
        jwks = [{**key.to_jwk(), "kid": key.thumbprint} for key in publics]
        keys.write_text(json.dumps({"keys": jwks}), encoding="utf-8")
        words = ["redact", str(image), "-o", str(place / "redacted"), "--keys", str(keys), "-q"]
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "immure", *words],
            cwd=place,
            env=os.environ | {"TMPDIR": str(place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        pause = _LONGEST if self._seconds is None else self._draw.uniform(0.1, self._seconds)
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause)
        if self._seconds is None:
            self._seconds = time.monotonic() - began
        if process.poll() is None:
            process.send_signal(self._draw.choice(_SIGNALS))
        process.wait()
        return place
