"""``immure serve signing`` as it is run: a program, with its key holder, on a port of this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from immure.cli.signing import _first_keys
from servers.program import Program, free_port
from signing.browsing import VERIFIER
from signing.house import SECRET, SETTINGS, House

PIN = "a pin of the tests"
KEYHOLDER = 'custody = "keyholder:holder/keys.sealed?pin-source=pin"'
UNSAFE = 'custody = "file+unsafe:private"'


@dataclass
class Serving:
    """A service that runs."""

    house: House
    port: int
    program: Program

    @property
    def here(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def enterprise(self) -> str:
        return f"{self.here}/enterprise"

    @property
    def consumer(self) -> str:
        return f"{self.here}/consumer"

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.here, timeout=40, **options)

    def journal(self) -> list[dict[str, Any]]:
        """What it wrote to standard error."""
        lines = self.program.printed().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.journal() if one["event"] == name]

    def wait_ready(self) -> None:
        """Until it gives tokens."""
        until(lambda: _is_ready(self.here), f"it is not ready:\n{self.program.printed()}")

    def processes(self, words: str) -> list[int]:
        """Processes of this service whose command has these words."""
        group = os.getpgid(self.program.process.pid)
        found = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if entry.name.isdigit() and os.getpgid(int(entry.name)) == group and words in command:
                    found.append(int(entry.name))
            except (OSError, ProcessLookupError):
                continue
        return found

    def kill_all(self) -> None:
        """SIGKILL to all of its processes at once."""
        os.killpg(self.program.process.pid, signal.SIGKILL)
        self.program.process.wait()


def house_at(directory: Path, port: int, changes: Mapping[str, str], **files: Any) -> House:
    """A house whose issuers are on that port."""
    text = SETTINGS.replace(":8940/", f":{port}/").replace("[listen]", f"[listen]\nport = {port}")
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    directory.mkdir(exist_ok=True)
    (directory / "pin").write_text(f"{PIN}\n")
    (directory / "pin").chmod(0o600)
    house = House(directory, text, **files)
    _first_keys(house.settings)
    return house


@contextmanager
def serving(
    directory: Path,
    *options: str,
    changes: Mapping[str, str] | None = None,
    house: House | None = None,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    wrapper: tuple[str, ...] = (),
    **files: Any,
) -> Iterator[Serving]:
    """The service, by default with a key holder; ``wrapper`` is put before the command."""
    if port is None:
        port = free_port() if house is None else _port(house)
    if house is None:
        house = house_at(directory, port, {UNSAFE: KEYHOLDER, **(changes or {})}, **files)
    command = [
        *wrapper,
        sys.executable,
        "-m",
        "immure",
        "serve",
        "signing",
        "--config",
        str(house.path),
        *options,
    ]
    log = house.directory / f"journal-{time.monotonic_ns()}"
    with Program(command, log=log, environment=environment, grace=20) as program:
        program.wait_for(port)
        made = Serving(house, port, program)
        made.wait_ready()
        yield made
    check_no_secret(log.read_text(errors="replace"))


def check_no_secret(text: str) -> None:
    """Nothing in what was written is a client's secret, a PIN, a password, a token or an assertion."""
    for secret in (SECRET, quote(SECRET), PIN, "lovelace", "mallory", VERIFIER):
        assert secret not in text
    assert not re.search(r"eyJ[\w-]{8,}", text), "a token is in the journal"
    assert not re.search(r"PRIVATE KEY|password=|secret=", text)
    assert "Traceback" not in text


def _port(house: House) -> int:
    return int(house.settings.issuers["enterprise"].url.rpartition(":")[2].partition("/")[0])


def until(true: Any, words: str, seconds: float = 30.0) -> None:
    """Wait for something to become true; AssertionError if it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, words
        time.sleep(0.05)


def _is_ready(here: str) -> bool:
    try:
        return httpx.get(f"{here}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
