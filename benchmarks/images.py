"""Build the images that the benchmarks run on: real cores of services with ordinary data in them, and two
extremes.

    python benchmarks/images.py [--dir DIRECTORY] [NAME...]

Each image is a folder with ``image``, ``keys.jwks`` (public) and ``truth.json``. The data is seeded, the keys
are fresh. An image that is there already is kept.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from drill import crash, images, keys, launch  # noqa: E402
from drill.launch import Scene, Stack  # noqa: E402

PROGRAMS = HERE / "programs"
DEFAULT = HERE / "images"
KINDS = ("rsa", "p256", "ed25519")
GIGABYTE = 1 << 30
BLOCK = 1 << 24


def _service(
    argv: list[str], megabytes: int, env: dict[str, str] | None = None
) -> Callable[[Scene], crash.Target]:
    def start(scene: Scene) -> crash.Target:
        line = ["nice", *argv, str(scene.directory), str(megabytes), *scene.kinds]
        return crash.start(line, scene.directory, env=env, timeout=900)

    return start


def python_service(scene: Scene) -> crash.Target:
    """CPython with sessions, JSON documents, compressed blobs, arrays and caches."""
    return _service([sys.executable, str(PROGRAMS / "token_service.py")], 1500)(scene)


def jvm(scene: Scene) -> crash.Target:
    """Java with objects, strings, maps and byte arrays."""
    source = PROGRAMS / "TokenService.java"
    classes = launch.build(source, "token-service-java", lambda s, o: ["javac", "-d", o, s])
    return _service(["java", "-Xmx1500m", "-cp", str(classes), "TokenService"], 680)(scene)


def go(scene: Scene) -> crash.Target:
    """Go with maps, strings, slices and documents."""
    source = PROGRAMS / "token_service.go"
    binary = launch.build(source, "token-service-go", lambda s, o: ["go", "build", "-o", o, s])
    return _service([str(binary)], 320, {"GOTRACEBACK": "crash"})(scene)


def node(scene: Scene) -> crash.Target:
    """Node with objects, maps, strings and buffers."""
    argv = ["node", "--max-old-space-size=2000", str(PROGRAMS / "token_service.js")]
    return _service(argv, 440)(scene)


SERVICES = {"python-service": python_service, "jvm": jvm, "go": go, "node": node}


def build_service(name: str, directory: Path) -> None:
    """Start the service, wait until it has signed, crash it, and look for everything in its core."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        stack = Stack(name, SERVICES[name])
        for image in images.take(stack, Path(temporary), KINDS, ways=("core",)):
            images.store(image, directory)


def build_random(directory: Path, size: int = GIGABYTE) -> None:
    """Random bytes, the worst case, with one prime of an RSA-2048 key at a place aligned to 8 bytes."""
    key = keys.make("rsa")
    generator = random.Random(20)
    place = generator.randrange(size // 4, size // 2) & ~7
    directory.mkdir(parents=True)
    with (directory / "image").open("wb") as file:
        for _ in range(size // BLOCK):
            file.write(generator.randbytes(BLOCK))
        file.seek(place)
        file.write(int(key.secrets["p"]).to_bytes(128, "little"))  # type: ignore[arg-type]
    _describe(directory, key, [["p", "le64", place]])


def build_zeros(directory: Path, size: int = GIGABYTE, *, sparse: bool) -> None:
    """Zeros, as a hole in the file or written out, with one prime at the end."""
    key = keys.make("rsa")
    directory.mkdir(parents=True)
    place = size - 4096
    with (directory / "image").open("wb") as file:
        file.truncate(size)
        for _ in range(0 if sparse else size // BLOCK):
            file.write(bytes(BLOCK))
        file.seek(place)
        file.write(int(key.secrets["p"]).to_bytes(128, "little"))  # type: ignore[arg-type]
    _describe(directory, key, [["p", "le64", place]])


def _describe(directory: Path, key: keys.DrillKey, truth: list[list[object]]) -> None:
    keys.write_jwks([key], directory / "keys.jwks")
    images.write_rows(directory / "truth.json", truth)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "python-service": lambda path: build_service("python-service", path),
    "jvm": lambda path: build_service("jvm", path),
    "go": lambda path: build_service("go", path),
    "node": lambda path: build_service("node", path),
    "random": build_random,
    "zeros": lambda path: build_zeros(path, sparse=False),
    "zeros-sparse": lambda path: build_zeros(path, sparse=True),
}


def ensure(name: str, directory: Path = DEFAULT) -> Path:
    """The folder of an image, which is built if it is not there."""
    folder = directory / name
    if not (folder / "truth.json").exists():
        directory.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished = directory / f"{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        begun = time.monotonic()
        BUILDERS[name](unfinished)
        unfinished.rename(folder)
        size = os.stat(folder / "image")
        words = f"{size.st_size >> 20} MiB ({size.st_blocks >> 11} on disk)"
        print(f"{name}: {words}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, default=DEFAULT)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUILDERS))
    arguments = parser.parse_args()
    for name in arguments.names or BUILDERS:
        if name not in BUILDERS:
            parser.error(f"no image {name!r}; there are {', '.join(BUILDERS)}")
        ensure(name, arguments.dir)


if __name__ == "__main__":
    main()
