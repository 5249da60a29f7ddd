"""Two front ends that answer for the same issuers: one PostgreSQL, one key holder that listens."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immure.cli.signing import first_keys
from servers.postgres import Postgres
from servers.program import Program, free_port
from signing.house import House
from signing.real.serving import UNSAFE, Serving, house_at, serving, until

SHARED = 'custody = "keyholder+unix:holder.sock"'


@dataclass
class Holding:
    """A key holder for several front ends."""

    directory: Path
    program: Program

    @property
    def socket(self) -> Path:
        return self.directory / "holder.sock"


@contextmanager
def holding(house: House) -> Iterator[Holding]:
    """``immure keyholder serve`` with the first keys of a house."""
    directory = house.directory
    first_keys(house.settings, directory / "holder" / "keys.sealed", [directory / "pin"])
    with holding_again(house) as made:
        yield made


@contextmanager
def holding_again(house: House) -> Iterator[Holding]:
    """The same, with the keys that are there."""
    directory = house.directory
    command = [sys.executable, "-m", "immure", "keyholder", "serve"]
    command += [str(directory / "holder" / "keys.sealed"), "--socket", str(directory / "holder.sock")]
    command += ["--allow", getpass.getuser(), "--pin-file", str(directory / "pin")]
    with Program(command, log=directory / "holder.log", grace=20) as program:
        made = Holding(directory, program)
        until(made.socket.exists, f"no holder:\n{program.printed()}")
        until(lambda: "are served at" in program.printed(), f"no holder:\n{program.printed()}")
        yield made


@dataclass
class Pair:
    """Both, and what they have in common."""

    first: Serving
    second: Serving
    holder: Holding
    stack: ExitStack

    def __iter__(self) -> Iterator[Serving]:
        return iter((self.first, self.second))

    @property
    def house(self) -> House:
        return self.first.house


@contextmanager
def pair_at(directory: Path, postgres: Postgres, **files: Any) -> Iterator[Pair]:
    """Registry, ledger and state are in three databases of one server."""
    ports = [free_port(), free_port()]
    places = {
        before: before.replace(name, postgres.url(database=postgres.database()))
        for before, name in (
            ('registry = "keys.db"', "keys.db"),
            ('place = "ledger.db"', "ledger.db"),
            ('state = "state.db"', "state.db"),
        )
    }
    house = house_at(directory, ports[0], {UNSAFE: SHARED, **places}, **files)
    with ExitStack() as stack:
        holder = stack.enter_context(holding(house))
        first = stack.enter_context(serving(house.directory, house=house))
        second = stack.enter_context(
            serving(house.directory, "--port", str(ports[1]), house=house, port=ports[1])
        )
        yield Pair(first, second, holder, stack)
