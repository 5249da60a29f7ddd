"""``immure`` in this process, which is quicker than another one; that it starts as one is seen elsewhere."""

from __future__ import annotations

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from immure.cli.main import run


def immure(directory: Path, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    """Run a command in ``directory`` with ``given`` at standard input: exit code, output, messages."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    with chdir(directory), redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", stdin):
        code = run(arguments)
    said, told = (stream.detach().getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return code, said, told
