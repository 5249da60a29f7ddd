"""What importing costs and pulls in. (Who may import whom is in `.importlinter`, held by `make lint`.)"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import immure

PACKAGE = Path(immure.__file__).parent
HEAVY = {"flint", "cryptography", "rich", "lz4", "jsonschema", "numpy", "ssl", "urllib.request", "asyncio"}


def _loaded(*arguments: str) -> set[str]:
    """Modules that are in memory after the command line or library was loaded."""
    code = f"import sys; {'; '.join(arguments)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rsplit("\n", 2)[-2].split())


def test_the_library_loads_nothing_heavy() -> None:
    assert not HEAVY & _loaded("import immure")


def test_help_loads_nothing_heavy() -> None:
    assert not HEAVY & _loaded("from immure.cli.main import run", "run(['--help'])")


@pytest.mark.parametrize(
    ("arguments", "bar"),
    [(["-c", "import immure"], 0.150), (["-c", "from immure.cli.main import main; main(['--help'])"], 0.300)],
    ids=["import immure", "immure --help"],
)
def test_starting_is_quick(arguments: list[str], bar: float) -> None:
    def seconds(*command: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # computing time, and the least of several runs: what else the machine does must not decide (waiting is
    # measured by benchmarks/startup.py)
    least = min(seconds(*arguments) for _ in range(7))
    assert least < bar


def test_errors_import_nothing_from_the_package() -> None:
    tree = ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert not [name for name in imported if name.startswith("immure")]


#: Programs that the library starts in processes of their own.
PROGRAMS = ("worker", "boot", "process")


def test_the_library_neither_prints_nor_exits() -> None:
    calls = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "cli" in path.relative_to(PACKAGE).parts or path.stem.split("_")[-1] in PROGRAMS:
            continue
        text = path.read_text(encoding="utf-8")
        if "print" not in text and "exit" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "sys.exit",
                "exit",
                "os._exit",
            ):
                calls.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not calls
