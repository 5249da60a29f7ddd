"""Claim: what quick mode leaves out holds no key's only copy: in fresh images of every stack of the drill its
narrowest search still finds every key.

    python benchmarks/edge_rule.py [--stacks NAME,...] [--captures core,gcore,hprof] [--rounds N]

Quick mode narrows its search by what it counts in an image, and the drill's images are small: so its budgets
are set to nothing here, and it has to use the narrowest tiers on all of them, once that of images with few
candidates for scalars (``edges``) and once that of images with many (``starts``). Nothing is harvested.
Encoded keys are parsed, as always: that is not narrowed. Each image is made anew, with keys made anew. Where
a key is not found, the image is searched exhaustively as well: if that finds nothing either, it is not there.
Images of the same programs that only verify are searched, too, and there is nothing to find in them. Writes
``results/edge_rule.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import images
import measure

from drill import keys as drill_keys
from drill import launch
from drill.crash import DrillError
from drill.images import Image, captures, take
from drill.launch import Stack
from drill.stacks import STACKS
from immure import ScanOptions, load_keys, scan_report
from immure.scanning import plan

#: What is allowed to each family of searches, and how many candidates for scalars are many.
NARROW: Final = {"edges": (0, 1 << 62), "starts": (0, -1)}
DETECTORS: Final = ("rsa", "montgomery", "ec", "structure")


@contextmanager
def narrowed(tier: str) -> Iterator[None]:
    """Quick mode as it is in an image so large that nothing wider is affordable."""
    budgets, many = dict(plan.BUDGETS), plan.EDGE_CANDIDATES
    budget, candidates = NARROW[tier]
    plan.BUDGETS.update(dict.fromkeys(budgets, budget))
    plan.EDGE_CANDIDATES = candidates  # type: ignore[misc]
    try:
        yield
    finally:
        plan.BUDGETS.update(budgets)
        plan.EDGE_CANDIDATES = many  # type: ignore[misc]


def found(image: Image, jwks: Path, mode: Any) -> set[str]:
    """The kinds of the keys that a scan of the image finds."""
    options = ScanOptions(mode=mode, detectors=DETECTORS, harvest=False)
    report = scan_report(image.path, keys=load_keys(str(jwks)), options=options)
    kinds = {key.kid: key.kind for key in image.keys}
    found_kids = {str(finding.key.origin.kid) for finding in report.findings}
    return {kind for kid, kind in kinds.items() if kid in found_kids}


def look(image: Image, scratch: Path) -> dict[str, Any]:
    """What each way to search an image finds in it."""
    jwks = scratch / "keys.jwks"
    drill_keys.write_jwks(image.keys, jwks)
    row: dict[str, Any] = {
        "stack": image.stack,
        "capture": image.capture,
        "signs": image.signs,
        "bytes": image.path.stat().st_size,
    }
    for tier in NARROW:
        with narrowed(tier):
            row[tier] = sorted(found(image, jwks, "quick"))
    there = {kind for tier in NARROW for kind in row[tier]}
    kinds = {key.kind for key in image.keys}
    if image.signs and any(set(row[tier]) != kinds for tier in NARROW):
        there |= found(image, jwks, "exhaustive")
    row["there"] = sorted(there)
    row["lost"] = {tier: sorted(there - set(row[tier])) for tier in NARROW}
    return row


def rows_of(stack: Stack, scratch: Path, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """All images of one run of a stack, and of one that only verifies."""
    ways = [way for way in captures(stack) if way in wanted]
    for signs in (True, False) if stack.has_control else (True,):
        try:
            for image in take(stack, scratch, stack.kinds, signs=signs, ways=ways):
                yield look(image, scratch)
                image.path.unlink()
        except DrillError as error:
            print(f"{stack.name}: NOT TAKEN: {str(error).splitlines()[0]}", flush=True)


def chosen(names: str | None) -> Sequence[Stack]:
    """The stacks that were asked for, and that this machine can run; the others are said."""
    wanted = [stack for stack in STACKS if names is None or stack.name in names.split(",")]
    for stack in wanted:
        if lacking := stack.missing():
            print(f"{stack.name}: NOT RUN, missing {', '.join(lacking)}", flush=True)
    return [stack for stack in wanted if not stack.missing()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", help="by name, with commas; all by default")
    parser.add_argument("--captures", default="core,gcore,hprof", help="ways to take an image, with commas")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each stack")
    arguments = parser.parse_args()
    launch.CACHE.mkdir(parents=True, exist_ok=True)
    images.DEFAULT.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=images.DEFAULT) as temporary:
        for stack in chosen(arguments.stacks):
            for _ in range(arguments.rounds):
                for row in rows_of(stack, Path(temporary), arguments.captures.split(",")):
                    rows.append(row)
                    show(row)
    summary = summed(rows)
    print("\n".join(f"{name}: {value}" for name, value in summary.items()))
    print(f"written to {measure.save('edge_rule', {'summary': summary, 'rows': rows})}")
    return 0


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    words = "; ".join(f"{tier} lost {', '.join(lost)}" for tier, lost in row["lost"].items() if lost)
    name = f"{row['stack']}.{row['capture']}{'' if row['signs'] else ' (verifies only)'}"
    print(
        f"{name:44} {row['bytes'] >> 20:5} MiB  there: {', '.join(row['there']) or '-':22} {words}",
        flush=True,
    )


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of the claim."""
    signing = [row for row in rows if row["signs"]]
    return {
        "stacks": len({row["stack"] for row in signing}),
        "images": len(signing),
        "keys that are there": sum(len(row["there"]) for row in signing),
        "lost by the tier edges": sum(len(row["lost"]["edges"]) for row in signing),
        "lost by the tier starts": sum(len(row["lost"]["starts"]) for row in signing),
        "images without a private key": len(rows) - len(signing),
        "found in those": sum(len(row["there"]) for row in rows if not row["signs"]),
        "bytes of those": sum(row["bytes"] for row in rows if not row["signs"]),
    }


if __name__ == "__main__":
    sys.exit(main())
