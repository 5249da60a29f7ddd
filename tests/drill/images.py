"""Images of real processes, with the truth about what is in them.

``python -m drill.images DIRECTORY [STACK...]`` (in ``tests/``) makes one folder per image: ``image``,
``keys.jwks`` (public), and ``truth.json``: a list of [secret, encoding, offset] of every whole private
number.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import reference
from drill import crash, keys, launch
from drill.launch import Scene, Stack


@dataclass(frozen=True)
class Image:
    """What is left of a process, and the keys that it held (or, for a control, only knew the public halves
    of)."""

    stack: str
    capture: str
    path: Path
    keys: tuple[keys.DrillKey, ...]
    signs: bool

    def truth(self) -> set[reference.Hit]:
        """Every whole private number in the image."""
        return reference.search(self.path, {key.kid: key.secrets for key in self.keys})


def captures(stack: Stack) -> list[str]:
    """The ways to take its memory that work on this machine."""
    ways = ["gcore"] if crash.has_debugger() else []
    ways += ["hprof"] if stack.heap_dump else []
    return [*ways, *(["core"] if crash.has_kernel_cores() and not stack.refuses_core else [])]


def take(
    stack: Stack,
    directory: Path,
    kinds: tuple[str, ...],
    *,
    signs: bool = True,
    ways: Sequence[str] | None = None,
) -> Iterator[Image]:
    """Run a stack once with fresh keys and take its memory in every way (that works here); the crash comes
    last."""
    made = tuple(keys.make(kind) for kind in kinds)
    with tempfile.TemporaryDirectory(prefix="drill-") as temporary:
        scene = Scene(Path(temporary), made, signs)
        for key in made:
            keys.write_public(key, scene.directory)
            if signs:
                keys.write_private(key, scene.directory)
        target = stack.start(scene)
        try:
            for capture in captures(stack) if ways is None else ways:
                path = _capture(capture, target, directory / f"{stack.name}.{capture}")
                yield Image(stack.name, capture, path, made, signs)
        finally:
            target.stop()


def _capture(capture: str, target: crash.Target, path: Path) -> Path:
    if capture == "gcore":
        return crash.gcore(target.pid, path)
    if capture == "hprof":
        done = subprocess.run(
            ["jcmd", str(target.pid), "GC.heap_dump", "-all", str(path)],
            capture_output=True,
            timeout=120,
            check=False,
        )
        if not path.exists():
            raise crash.DrillError(f"heap dump: {done.stdout.decode(errors='replace')}")
        return path
    return crash.crash(target.pid, path, reap=target.process)


def store(image: Image, directory: Path) -> int:
    """Keep an image with its truth in a folder of its own; return how many numbers are in it."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.move(image.path, directory / "image")
    keys.write_jwks(image.keys, directory / "keys.jwks")
    moved = Image(image.stack, image.capture, directory / "image", image.keys, image.signs)
    hits = sorted(moved.truth())
    expected = [hit for hit in hits if reference.is_expected(hit)]
    write_rows(directory / "truth.json", [[hit.secret, hit.encoding, hit.offset] for hit in expected])
    write_rows(directory / "truth-full.json", [hit._asdict() for hit in hits])
    return len(expected)


def write_rows(path: Path, rows: Sequence[object]) -> None:
    """JSON with one row per line."""
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def main() -> None:
    """Make images of the stacks named on the command line, or of all."""
    from drill.stacks import STACKS

    out, wanted = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    for stack in STACKS:
        if wanted and stack.name not in wanted:
            continue
        if lacking := stack.missing():
            print(f"{stack.name}: skipped, missing {', '.join(lacking)}", flush=True)
            continue
        for signs in (True, False) if stack.has_control else (True,):
            for image in take(stack, out, stack.kinds, signs=signs):
                begun = time.monotonic()
                name = f"{stack.name}-{'' if signs else 'public-'}{image.capture}"
                size = image.path.stat()
                count = store(image, out / name)
                megabytes = f"{size.st_size >> 20} MB ({size.st_blocks >> 11} MB on disk)"
                print(f"{name}: {megabytes}, {count} numbers, {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    launch.CACHE.mkdir(parents=True, exist_ok=True)
    main()
