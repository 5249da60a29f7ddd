"""``kill -9`` at every change on disk: a dump is there with all its bytes, or not at all and unreadable."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from immure.vault import Sealed, Vault

from .faults import KILLED, contents, killed_everywhere, run
from .test_store import MARKER, left_over

DATA = [MARKER * 100, b"end"]
#: Fewer changes than these would mean that the faults miss some.
LEAST = {"seal": 12, "destroy": 11, "replace": 21}


class Place:
    """A vault that is made anew for each death."""

    def __init__(self, directory: Path, work: str) -> None:
        self.directory = directory
        self.work = work
        self.vault: Vault
        self.before: Sealed | None = None
        self.keys: list[bytes] = []

    def prepare(self) -> Callable[[], object]:
        self.vault = Vault.create(tempfile.mkdtemp(dir=self.directory))
        other = self.vault.seal([b"other"], name="other")
        self.before = None
        if self.work != "seal":
            self.before = self.vault.seal(DATA, name="app.core")
            self.keys = [
                data[-32:]
                for path, data in contents(Path(self.vault.path, "keys"))
                if path.stem != other.file
            ]
        if self.work == "destroy":
            identity = self.before.id
            return lambda: self.vault.destroy(identity)
        if self.work == "replace":
            path = Path(self.vault.path, "dumps", f"{self.before.file}.sealed")
            path.write_bytes(path.read_bytes()[:-9])
        return lambda: self.vault.seal(DATA, name="again.core")

    def readable(self) -> bool:
        """Open the vault again, as after a crash; whether the dump is there, whole."""
        vault = Vault.open(self.vault.path)
        assert left_over(vault) == [], [str(path) for path in left_over(vault)]
        names = [sealed.name for sealed in vault.list()]
        for sealed in vault.list():
            assert vault.verify(sealed.id) == sealed
        assert "other" in names
        return len(names) == 2


@pytest.mark.parametrize("work", LEAST)
def test_killed_at_any_change(tmp_path, work):
    place = Place(tmp_path, work)
    outcomes = []
    for number, name in killed_everywhere(place.prepare):
        top = Path(place.vault.path)
        assert not any(MARKER[:8] in data for _, data in contents(top)), (number, name)
        damaged = work == "replace" and _still_damaged(place)
        outcomes.append(not damaged and place.readable())
        assert work != "replace" or damaged or outcomes[-1], (
            number,
            name,
        )  # the old record stands, or the new
        if work == "destroy" and not outcomes[-1]:
            assert not any(key in data for key in place.keys for _, data in contents(top)), (number, name)
    # once it is there (or gone) it stays so, at whatever change the process dies after that
    assert outcomes == sorted(outcomes, reverse=work == "destroy")
    assert True in outcomes
    assert False in outcomes
    assert len(outcomes) >= LEAST[work], outcomes


def _still_damaged(place: Place) -> bool:
    """Whether the old record still stands; its file was damaged before anything began."""
    vault = Vault.open(place.vault.path)
    assert place.before is not None
    return vault.find(place.before.id) == place.before


@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_killed_in_the_midst_of_a_stream(tmp_path, pieces):
    vault = Vault.create(tmp_path / "vault")

    def stream():
        for _ in range(pieces):
            yield MARKER * 30_000
        os.kill(os.getpid(), signal.SIGKILL)

    assert run(lambda: vault.seal(stream(), name="app.core")) == KILLED
    assert len(left_over(vault)) == 1
    assert not any(MARKER[:8] in data for _, data in contents(Path(vault.path)))
    again = Vault.open(vault.path)
    assert left_over(again) == []
    assert again.list() == ()


def test_a_damaged_record_keeps_the_sweep_from_removing_a_dump(tmp_path):
    """The process died before it moved the file in; then its record was damaged. It may be the only copy."""
    vault = Vault.create(tmp_path / "vault")
    sealed = vault.seal([MARKER], name="app.core")
    Path(vault.path, "dumps", f"{sealed.file}.sealed").rename(
        Path(vault.path, "incoming", f"{sealed.file}.sealed")
    )
    record = Path(vault.path, "records", f"{sealed.digest}.json")
    kept = record.read_bytes()
    record.write_bytes(b"damaged")
    Vault.open(vault.path)
    record.write_bytes(kept)
    assert Vault.open(vault.path).verify(sealed.id) == sealed
