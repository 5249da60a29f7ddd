"""The prover shares nothing with what it proves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import immure.redact.prove

ROOM = Path(immure.redact.prove.__file__).parent
#: What may be used of the rest: values of keys, images as bytes, errors. No search, no encoder, no eraser.
ALLOWED = {
    "immure.dumps.dump",
    "immure.errors",
    "immure.keymaterial.key",
    "immure.keymaterial.private",
    "immure.secret",
}
INCLUDED = {
    '"probe.h"',
    '"probe_internal.h"',
    "<immintrin.h>",
    *(f"<std{x}.h>" for x in ("def", "int", "lib")),
    "<string.h>",
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name for name in names if name.split(".")[0] == "immure"}


def test_it_imports_no_search_no_encoder_and_no_eraser() -> None:
    for path in sorted(ROOM.rglob("*.py")):
        foreign = {name for name in imported(path) if not name.startswith("immure.redact.prove")}
        assert foreign <= ALLOWED, (path, foreign - ALLOWED)


def test_its_kernel_includes_no_foreign_source() -> None:
    for path in sorted((ROOM / "kernels" / "c").iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#include"):
                assert line.split()[1] in INCLUDED, (path, line)


def test_what_starts_programs_is_loaded_only_when_needed() -> None:
    code = "import sys, immure.redact.prove; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"flint", "immure.redact.prove.readers"} & set(done.stdout.split())
