"""Our own ways: what ``immure capture`` leaves of a core. Nothing of a key may be in it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.capture.building import keeper_of
from immure.capture.drill.program import Running
from immure.capture.drill.residue import ResidueSearch
from immure.capture.drill.way import Way, no_socket, socket_pattern
from immure.capture.pattern import temporarily
from immure.capture.server import Server
from immure.capture.settings import Settings
from immure.dumps.detect import parse_image
from immure.dumps.limits import MIB, Limits
from immure.dumps.raw import parse_raw
from immure.dumps.readers import FileReader
from immure.errors import CaptureError
from immure.vault import Vault

#: How long a crash may take to be noticed that the kernel has told us of.
_NOTICE_SECONDS: Final = 2.0


class SealedWay(Way):
    """Our server seals the core; every file that it leaves is looked at."""

    name = "sealed"
    must_be_clean = True

    def why_not(self) -> str | None:
        """See :class:`Way`."""
        return super().why_not() or no_socket()

    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """See :class:`Way`."""
        settings = _settings(directory, keep="sealed")
        note = _capture(program, settings)
        size = 0
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name != "canary.pem":
                reader = FileReader.open(str(path))
                size += reader.size or 0
                search.look(parse_raw(str(path), reader))
        return size, note


class RedactedWay(Way):
    """Our server redacts the core; what comes out of the vault is looked at."""

    name = "redacted"
    must_be_clean = True

    def why_not(self) -> str | None:
        """See :class:`Way`."""
        return super().why_not() or no_socket()

    def dump(self, program: Running, directory: Path, search: ResidueSearch) -> tuple[int, str | None]:
        """See :class:`Way`."""
        (directory / "keys.json").write_text(_jwks(search))
        settings = _settings(directory, keep="redacted", keys=(str(directory / "keys.json"),))
        note = _capture(program, settings)
        size = 0
        vault = Vault.open(settings.vault)
        for sealed in vault.list():
            size += sealed.size
            search.look(parse_image(sealed.name, vault.open_dump(sealed.id), Limits()))
        return size, note


def _jwks(search: ResidueSearch) -> str:
    return json.dumps({"keys": [{**search.canary.public.to_jwk(), "kid": "canary"}]})


def _settings(directory: Path, **more: object) -> Settings:
    places = {name: str(directory / name) for name in ("vault", "records", "spool", "runtime")}
    return Settings.from_json(
        {**places, "margin": 64 * MIB, **{k: list(v) if isinstance(v, tuple) else v for k, v in more.items()}}
    )


def _capture(program: Running, settings: Settings) -> str | None:
    """Crash the program into a server of our own; why nothing was kept, if so."""
    with _serving(settings) as server, temporarily(socket_pattern(settings.core_socket)):
        program.crash()
        limit = time.monotonic() + _NOTICE_SECONDS
        while not server.desk.counters.arrived and time.monotonic() < limit:
            time.sleep(0.02)
    counters = server.desk.counters
    if counters.captured:
        return None
    if not counters.arrived:
        raise CaptureError("the kernel sent no core: the program may have asked not to be dumped")
    last = server.desk.last[-1]
    return f"nothing was kept ({last.get('reason')}): {last.get('detail', '')}"


@contextmanager
def _serving(settings: Settings) -> Iterator[Server]:
    """A server that runs during the block; at its end what is in hand was finished."""
    server = Server(settings, lambda rotated: keeper_of(settings, rotated=rotated))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        if not server.wait_until_ready(30):
            raise CaptureError("the server does not start", path=settings.runtime)
        yield server
    finally:
        server.stop()
        thread.join()
