"""What is left of a canary: whole numbers and pieces, found because the private key is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.capture.drill.canary import KINDS, CanaryKind, make_canary
from immure.capture.drill.residue import Residue, ResidueSearch, residue_in
from immure.dumps import Image
from immure.dumps.raw import parse_raw
from immure.dumps.readers import BytesReader
from immure.errors import UsageError
from immure.keymaterial.private import EcPrivate, RsaPrivate
from immure.keymaterial.sources import load_keys
from immure.synth import ordinary_memory

SIZE = 64 << 10


def image(*pieces: tuple[int, bytes]) -> Image:
    memory = bytearray(ordinary_memory(SIZE, seed=3))
    for at, data in pieces:
        memory[at : at + len(data)] = data
    return parse_raw("memory", BytesReader(bytes(memory)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_canary_is_a_key_pair(kind: CanaryKind, tmp_path: Path) -> None:
    canary = make_canary(kind)
    path = canary.write(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert [key.thumbprint for key in load_keys(str(path)).keys] == [canary.public.thumbprint]
    assert make_canary(kind).public != canary.public
    assert "BEGIN" not in repr(canary)


def test_no_such_canary() -> None:
    with pytest.raises(UsageError):
        make_canary("dsa")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_memory_without_it_is_clean(kind: CanaryKind) -> None:
    assert residue_in(image(), make_canary(kind)) == Residue()


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_itself_is_residue(kind: CanaryKind) -> None:
    canary = make_canary(kind)
    residue = residue_in(image((1001, canary.pem.reveal())), canary)
    assert residue.copies >= 1
    assert not residue.is_clean


def test_a_piece_is_found_where_nothing_whole_is_left() -> None:
    """A scan with the public key alone would find nothing here."""
    canary = make_canary("rsa")
    assert isinstance(canary.private, RsaPrivate)
    prime = canary.private.p.reveal().to_bytes(128, "little")
    residue = residue_in(image((4096, prime[:40]), (8192, prime[64:80])), canary)
    assert (residue.copies, residue.fragments, residue.bytes) == (0, 2, 56)
    assert residue.kinds == (("p le64", 2),)
    assert residue_in(image((4096, prime[:12])), canary).is_clean


def test_several_images_add_up() -> None:
    canary = make_canary("p256")
    assert isinstance(canary.private, EcPrivate)
    scalar = canary.private.d.reveal().to_bytes(32, "little")
    search = ResidueSearch(canary)
    search.look(image((4096, scalar)))
    search.look(image((160, scalar), (800, scalar)))
    assert search.residue().copies == 3
    assert search.residue().to_json()["regions"] == {"raw bytes": 3}
