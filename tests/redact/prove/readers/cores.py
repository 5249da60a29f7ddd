"""A small real core for each of several languages, made once per run, with the keys that the process held."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from drill import crash, images
from drill.keys import DrillKey
from drill.stacks import STACKS
from immure.keymaterial.private import PrivateKey, ec_from_scalar, okp_from_seed, rsa_from_parts


@dataclass(frozen=True)
class RealCore:
    """A core file, the private keys of its process, and where each whole number of them stands."""

    path: Path
    secrets: list[PrivateKey]
    truth: list[tuple[int, int]]


def private_of(key: DrillKey) -> PrivateKey:
    """A key of the drill as the prover wants it."""
    if key.kind == "rsa":
        numbers = key.private.private_numbers()  # type: ignore[union-attr]
        public = numbers.public_numbers  # type: ignore[union-attr]
        return rsa_from_parts(public.n, public.e, numbers.d, numbers.p, numbers.q)  # type: ignore[union-attr]
    if key.kind == "p256":
        return ec_from_scalar("P-256", key.private.private_numbers().private_value)  # type: ignore[union-attr]
    return okp_from_seed("Ed25519", key.private.private_bytes_raw())  # type: ignore[union-attr]


def take(name: str, directory: Path, way: str | None = None) -> RealCore:
    """The core of a stack of the drill, by the kernel, or by gdb where the kernel's setting is not ours."""
    stack = next(stack for stack in STACKS if stack.name == name)
    if lacking := stack.missing():
        pytest.skip(f"NOT TESTED: {name}: missing {', '.join(lacking)}")
    if shutil.which("gdb") is None and way is None:
        pytest.skip("NOT TESTED: gdb is not installed")
    if way is None:
        way = "core" if crash.has_kernel_cores() and not stack.refuses_core else "gcore"
    (taken,) = images.take(stack, directory, stack.kinds, ways=(way,))
    truth = [(hit.offset, hit.length) for hit in taken.truth()]
    return RealCore(taken.path, [private_of(key) for key in taken.keys], truth)
