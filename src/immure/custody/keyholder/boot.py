"""The first lines of the key holder's process; run by path, without site packages, and never imported.

The native half comes first, then libcrypto with its memory in the arena, and only then anything that might
use libcrypto itself, such as :mod:`hashlib`.
"""

import json
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from typing import Any


def _arena(lib: Any, sizes: list[int]) -> int:
    """Take the largest arena that is secret memory, or else whatever memory there is."""
    for size in sizes:
        if lib.kh_arena(size, 1) > 0:
            return 1
    return int(lib.kh_arena(sizes[-1], 0))


def main() -> int:
    """Run the holder with the settings in the first argument (JSON)."""
    settings = json.loads(sys.argv[1])
    sys.path += settings["paths"]
    name = "immure.custody.keyholder._native"
    loader = ExtensionFileLoader(name, settings["native"])
    native = module_from_spec(ModuleSpec(name, loader, origin=settings["native"]))
    loader.exec_module(native)
    kind = _arena(native.lib, settings["arena"])
    started = native.lib.kh_crypto() if kind > 0 else -1
    words = native.ffi.string(native.lib.kh_words()).decode()

    from immure.custody.keyholder.process import run

    return run(settings, native, kind, words if started < 0 else "")


if __name__ == "__main__":
    sys.exit(main())
