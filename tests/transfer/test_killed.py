"""``kill -9`` at every change on disk that a release makes: nothing is visible, or a whole, cleared dump."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from immure.auditlog import verify_log
from immure.transfer.destinations.directory import DirectoryDestination
from immure.vault import Vault
from vault.faults import contents, killed_everywhere

from .material import World, sha256

MARKER = b"marker-that-must-not-be-on-disk-before-it-is-cleared "
DUMP = MARKER * 100
#: Fewer changes than these would mean that the faults miss some.
LEAST = {True: 30, False: 31}


class Place:
    """A world that is made anew for each death, out of one that is kept."""

    def __init__(self, top: Path, nameless: bool) -> None:
        self._template = top / "template"
        self._template.mkdir()
        world = World(self._template)
        world.dump.write_bytes(DUMP)
        world.clear(dump=DUMP)
        self._top = top / "world"
        self._nameless = nameless
        self.world: World

    def prepare(self) -> Callable[[], object]:
        shutil.rmtree(self._top, ignore_errors=True)
        shutil.copytree(self._template, self._top)
        world = self.world = World.__new__(World)
        world.__dict__.update(_moved(self._template, self._top))
        world.write_policy()
        there = DirectoryDestination(str(world.out), nameless=self._nameless)
        return lambda: world.gate().release(world.request(there))


def _moved(template: Path, top: Path) -> dict[str, object]:
    from immure.auditlog import AuditLog
    from immure.custody.note_signer import NoteSigner

    from .material import NOW, ORIGIN, signer

    note_signer = NoteSigner(ORIGIN, signer(top, "log"))
    return {
        "top": top,
        "now": NOW,
        "out": top / "out",
        "dump": top / "app.core",
        "clearance": top / "app.core.intoto.json",
        "policy": top / "policy.toml",
        "signer": signer(top),
        "vault": Vault.open(top / "vault"),
        "log_signer": note_signer,
        "log": AuditLog.open(top / "audit", signer=note_signer, clock=lambda: NOW),
    }


@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "part"])
def test_killed_at_any_change(tmp_path, nameless):
    place = Place(tmp_path, nameless)
    seen = []
    for number, name in killed_everywhere(place.prepare):
        world = place.world
        visible = [path for path in world.visible() if not path.endswith(".part")]
        kinds = world.kinds()
        where = (number, name, visible, kinds)
        assert visible in ([], ["app.core"]), where
        if visible:
            assert (world.out / "app.core").read_bytes() == DUMP, where
            assert kinds[0] == "release.allowed", where
        if "release.done" in kinds:
            assert visible, where
        if "release.allowed" not in kinds:
            assert not any(MARKER in data for _, data in contents(world.out)), where
        assert not any(MARKER in data for _, data in contents(world.top / "vault")), where
        verify_log(world.top / "audit", public_key=world.log_signer.public_key)
        seen.append((bool(visible), tuple(kinds)))
        again = _release_again(world, nameless)
        assert again in ("new", "present"), where
        assert world.visible() == ["app.core"], where
    assert len(seen) >= LEAST[nameless], seen
    assert set(seen) >= {
        (False, ()),
        (False, ("release.allowed",)),
        (True, ("release.allowed",)),
    }


def _release_again(world: World, nameless: bool) -> str:
    """The next release finds everything in order, and finishes."""
    world.vault = Vault.open(world.vault.path)
    placed = world.release(DirectoryDestination(str(world.out), nameless=nameless)).placed
    assert world.vault.verify("sha256:" + sha256(DUMP))
    return placed
