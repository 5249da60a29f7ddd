"""The search of a drill: a known key is found whole, in pieces, by whoever looks; and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.custody.algorithms import Algorithm
from immure.keymaterial.private import EcPrivate, OkpPrivate, PrivateKey, RsaPrivate
from immure.keymaterial.sources import load_keys
from immure.signing.drill.canaries import Canary
from immure.signing.drill.looking import Residue, look
from immure.synth import ordinary_memory

ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
SIZE = 64 << 10


def number(private: PrivateKey) -> bytes:
    """A secret number as it is in memory, little end first."""
    if isinstance(private, RsaPrivate):
        return private.p.reveal().to_bytes(128, "little")
    if isinstance(private, EcPrivate):
        return private.d.reveal().to_bytes(48 if private.public.curve == "P-384" else 32, "little")
    assert isinstance(private, OkpPrivate)
    return private.seed.reveal()


def image(directory: Path, *pieces: bytes) -> Path:
    memory = bytearray(ordinary_memory(SIZE, seed=5))
    for at, data in enumerate(pieces):
        memory[4096 * (at + 1) : 4096 * (at + 1) + len(data)] = data
    path = directory / "memory.raw"
    path.write_bytes(memory)
    return path


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_canary_is_a_key_pair(algorithm: Algorithm, tmp_path: Path) -> None:
    canary = Canary.make(algorithm)
    path = canary.write(tmp_path / "key.pem")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [key.thumbprint for key in load_keys(str(path)).keys] == [canary.public.thumbprint]
    assert "BEGIN" not in repr(canary)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_memory_without_it_is_clean(algorithm: Algorithm, tmp_path: Path) -> None:
    canary = Canary.make(algorithm)
    residue = look(image(tmp_path), [], [canary])
    assert residue.is_clean
    assert residue.size == SIZE


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_whole_number(algorithm: Algorithm, tmp_path: Path) -> None:
    """Its public half need not be named: a service that crashed early has not said what its keys are."""
    canary = Canary.make(algorithm)
    residue = look(image(tmp_path, number(canary.private)), [], [canary])
    assert residue.numbers >= 1
    assert residue.keys == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_sixteen_bytes_of_a_number(algorithm: Algorithm, tmp_path: Path) -> None:
    canary = Canary.make(algorithm)
    residue = look(image(tmp_path, number(canary.private)[5:21]), [], [canary])
    assert (residue.numbers, residue.fragments) == (0, 1)


def test_the_number_of_another_key_is_not_ours(tmp_path: Path) -> None:
    canary, other = Canary.make("ES256"), Canary.make("ES256")
    assert look(image(tmp_path, number(other.private)), [], [canary]).is_clean
    assert not look(image(tmp_path, number(other.private)), [other.public], [canary]).is_clean


def test_a_process_that_is_gone_is_no_clean_one() -> None:
    residue = look("pid:4194303", [], [Canary.make("ES256")])
    assert residue.error is not None
    assert residue.size == 0


@pytest.mark.parametrize(
    ("residue", "clean"), [(Residue(), True), (Residue(numbers=1), False), (Residue(fragments=1), False)]
)
def test_clean(residue: Residue, clean: bool) -> None:
    assert residue.is_clean is clean
