"""How much captures may take of the vault, and what goes when that is too little."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.capture.keeping import GivenUpError
from immure.capture.retention import BoundedVault, oldest_to_go

from .helpers import MemoryVault

MIB = 1 << 20


@given(st.lists(st.integers(0, 50)), st.integers(0, 120), st.integers(0, 100))
def test_as_few_as_need_be_go(sizes: list[int], incoming: int, limit: int) -> None:
    count = oldest_to_go(sizes, incoming, limit)
    if count is None:
        assert incoming > limit
        return
    assert sum(sizes[count:]) + incoming <= limit
    assert count == 0 or sum(sizes[count - 1 :]) + incoming > limit


def filled(store: MemoryVault, *names: str) -> None:
    for name in names:
        store.seal([bytes(10 * MIB)], name=name)


@pytest.mark.parametrize(
    ("limit", "rotate", "left"),
    [
        (None, False, ["core.a", "other", "core.b", "core.new"]),
        (30, False, ["core.a", "other", "core.b", "core.new"]),
        (29, False, None),
        (29, True, ["other", "core.b", "core.new"]),
        (10, True, ["other", "core.new"]),
        (9, True, None),
    ],
)
def test_room(tmp_path: Path, limit: int | None, rotate: bool, left: list[str] | None) -> None:
    store, gone = MemoryVault(), []
    filled(store, "core.a", "other", "core.b")
    most = None if limit is None else limit * MIB
    vault = BoundedVault(store, str(tmp_path), limit=most, rotate=rotate, margin=0, destroyed=gone.append)
    pieces = [bytes(MIB)] * 10
    if left is None:
        with pytest.raises(GivenUpError, match="captures may take") as caught:
            vault.seal(pieces, name="core.new")
        assert caught.value.kind == "vault-full"
        left = ["core.a", "other", "core.b"]
    else:
        vault.seal(pieces, name="core.new")
        assert len(gone) == 4 - len(left)
    assert set(left) >= {dump.name for dump in store.dumps.values()} >= {"other"}
    if rotate is False:
        assert [dump.name for dump in store.dumps.values()] == left


def test_a_small_dump_does_not_count_for_more_than_a_step(tmp_path: Path) -> None:
    store = MemoryVault()
    vault = BoundedVault(store, str(tmp_path), limit=2 * MIB, margin=0)
    for number in range(20):
        vault.seal([bytes(1000)], name=f"core.{number}")
    assert len(store.dumps) == 20


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    vault = BoundedVault(MemoryVault(), str(tmp_path), margin=1 << 62)
    with pytest.raises(GivenUpError, match="nearly full") as caught:
        vault.seal([b"x"], name="core.x")
    assert caught.value.kind == "disk"
