"""Starts one of the mailboxes, probes it, and stops it.

    python examples/relying_parties/probe_one.py on_immure
    python examples/relying_parties/probe_one.py on_pyjwt --format json -o report.json

Options go to ``immure probe``. The kit is made in a temporary directory, and is gone afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
IMMURE = [sys.executable, "-m", "immure"]
NAMES = ("on_immure", "on_joserfc", "on_pyjwt")


def probe(name: str, kit: Path, options: list[str]) -> int:
    """The exit code of ``immure probe`` for one mailbox."""
    server = subprocess.Popen(
        [sys.executable, str(HERE / f"{name}.py"), str(kit)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        command = [*IMMURE, "probe", url, "--kit", str(kit / "kit.toml"), "--i-own-this", "127.0.0.1"]
        return subprocess.run([*command, "--rate", "200", *options]).returncode
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Make a kit and probe."""
    if sys.argv[1:2] == [] or sys.argv[1] not in NAMES:
        sys.exit(f"which of {', '.join(NAMES)}?")
    with tempfile.TemporaryDirectory() as directory:
        kit = Path(directory) / "kit"
        subprocess.run([*IMMURE, "probe", "init", str(kit), "--quiet"], check=True)
        sys.exit(probe(sys.argv[1], kit, sys.argv[2:]))


if __name__ == "__main__":
    main()
