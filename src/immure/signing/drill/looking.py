"""Searches what a crash left: for every key by its public half, and for pieces of those that the drill knows.

The first is what anybody can do who has the key set. It finds whole numbers, and then what else of that key
is there. The second needs the private half: it sees every piece of 16 bytes, in every encoding, anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from immure.dumps.dump import Image
from immure.dumps.open import open_image
from immure.errors import ImmureError
from immure.keymaterial.key import PublicKey
from immure.scanning.chunks import Chunk, for_each_chunk, load, plan_chunks
from immure.scanning.finding import Occurrence
from immure.scanning.kernels.workspace import Workspace
from immure.scanning.occurrences import Place, Sweeper, occurrence, tidy
from immure.scanning.options import ScanOptions
from immure.scanning.proofs import Proof
from immure.scanning.scanner import scan_targets
from immure.signing.drill.canaries import Canary

_CHUNK_BYTES: Final = 8 << 20
Mode = Literal["quick", "exhaustive"]


@dataclass(frozen=True, slots=True)
class Residue:
    """What is left of keys.

    Attributes:
        numbers: whole secret numbers, or whole encoded keys.
        fragments: pieces of 16 bytes or more.
        keys: of how many keys.
        size: bytes that were searched.
        kinds: what was found, in words without a value: ``p le64``.
        error: why the search was not complete; None if it was.
    """

    numbers: int = 0
    fragments: int = 0
    keys: int = 0
    size: int = 0
    kinds: tuple[str, ...] = ()
    error: str | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return not (self.numbers or self.fragments)


def look(
    target: str | Path, publics: Sequence[PublicKey], canaries: Sequence[Canary], mode: Mode = "exhaustive"
) -> Residue:
    """What of any key is in an image, a directory of files, or a process (``pid:N``).

    Args:
        publics: of all keys that the service has had; those of the canaries are added.
        canaries: those whose private halves are known.
        mode: of the search by public keys; that for canaries leaves out nothing anyway.
    """
    keys_of = {key.thumbprint: key for key in [*publics, *(one.public for one in canaries)]}
    report = scan_targets(
        [str(target)], keys=list(keys_of.values()), options=ScanOptions(mode=mode, harvest=True, threads=2)
    )
    found = {(image.path, one) for image in report.images for f in image.findings for one in f.occurrences}
    errors = [image.error for image in report.images if image.error]
    keys = {finding.key.thumbprint for finding in report.findings}
    for image in report.images:
        try:
            pieces = sweep(image.path, canaries)
        except ImmureError as error:
            errors.append(error.reason)
            continue
        found |= {(image.path, one) for one in pieces}
        if pieces and not keys:
            keys.add("a canary")
    return Residue(
        sum(one.whole for _, one in found),
        sum(not one.whole for _, one in found),
        len(keys),
        sum(image.size for image in report.images),
        tuple(sorted({f"{one.secret} {one.encoding}" for _, one in found})),
        errors[0] if errors else None,
    )


def sweep(target: str | Path, canaries: Sequence[Canary]) -> list[Occurrence]:
    """Every piece of the canaries in one image.

    Raises:
        ImageError: it cannot be read.
    """
    proofs = [Proof(one.private.public, "made for a drill", 0, one.private) for one in canaries]
    with open_image(str(target)) as image:
        image.reader.wait()
        image.settle()
        places: list[Place] = []
        examiner = _Examiner(Sweeper(proofs), image)
        for _, seen in for_each_chunk(plan_chunks(image, _CHUNK_BYTES), _CHUNK_BYTES, examiner, 1):
            places += seen
        return tidy(
            occurrence(image, p.offset, p.length, p.needle.secret, p.needle.encoding, whole=p.whole)
            for p in places
        )


@dataclass(frozen=True, slots=True)
class _Examiner:
    sweeper: Sweeper
    image: Image

    def __call__(self, space: Workspace, chunk: Chunk) -> list[Place]:
        load(self.image.reader, chunk, space)
        return self.sweeper.examine(space, chunk)
