"""A signing service is crashed, and comes again; and what is waited for meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from immure.keymaterial.key import PublicKey
from immure.keymaterial.sources_files import load_path
from immure.replay.crash import crash
from immure.replay.errors import ReplayError
from immure.replay.issuers import Issuer

#: Seconds in which a front end must be there again.
COME_BACK: Final = 120.0
_TRIES: Final = 3


def publics_of(issuer: Issuer, path: Path) -> tuple[PublicKey, ...]:
    """The keys as a document that anybody can read has them; it is written down."""
    path.write_text(json.dumps(issuer.jwks()), encoding="ascii")
    return tuple(load_path(str(path)).keys)


def crashed(issuer: Issuer, dump: Path, *, kernel_only: bool) -> str:
    """Crash its front end; how the dump was taken. A front end may be gone before it is its turn, as its
    supervisor replaces one that is slow to answer."""
    for _ in range(_TRIES - 1):
        with suppress(ReplayError):
            return crash(_front_end(issuer), issuer.room, dump, kernel_only=kernel_only)
    return crash(_front_end(issuer), issuer.room, dump, kernel_only=kernel_only)


def _front_end(issuer: Issuer) -> int:
    until(lambda: issuer.front_end() != 0, COME_BACK, "the signer has no front end")
    return issuer.front_end()


def answers(issuer: Issuer) -> bool:
    """Whether it publishes keys just now."""
    try:
        return bool(issuer.jwks()["keys"])
    except ReplayError:
        return False


def until(done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait for something; raises ReplayError with the words of ``otherwise`` if it never comes."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise ReplayError(otherwise)
        time.sleep(0.05)
