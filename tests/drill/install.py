"""Bring what the stacks need: Debian packages (when root), npm packages (into ``.make/drill/npm``).

What cannot be installed is said; the drill then skips the stack, and names it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from drill.launch import CACHE, find_tool
from drill.stacks import STACKS

PACKAGES = Path(__file__).parents[2] / "scripts" / "packages"


def install_debian() -> None:
    """Install the Debian packages of stacks that lack something, and gdb."""
    wanted = {package for stack in STACKS if stack.missing() for package in stack.apt}
    wanted |= {"gdb"} if find_tool("gdb") is None else set()
    if any(stack.npm for stack in STACKS if stack.missing()) and find_tool("npm") is None:
        wanted.add("npm")
    if wanted:
        pairs = [f"-:{package}" for package in sorted(wanted)]
        subprocess.run([str(PACKAGES), "offer", "stacks of the drill", *pairs], check=False)


def install_npm() -> None:
    """Install the npm packages of stacks that lack them."""
    wanted = sorted({package for stack in STACKS if stack.missing() for package in stack.npm})
    if not wanted:
        return
    npm, prefix = find_tool("npm"), CACHE / "npm"
    if npm is None:
        print(f"Skipped: {', '.join(wanted)}: there is no npm", file=sys.stderr)
        return
    prefix.mkdir(parents=True, exist_ok=True)
    argv = [npm, "install", "--prefix", str(prefix), "--no-audit", "--no-fund", *wanted]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=300)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        print(f"Skipped: {', '.join(wanted)}: npm said: {words[-1] if words else 'nothing'}", file=sys.stderr)


def main() -> None:
    install_debian()
    install_npm()
    for stack in STACKS:
        if lacking := stack.missing():
            print(f"{stack.name} will be skipped: missing {', '.join(lacking)}", file=sys.stderr)


if __name__ == "__main__":
    main()
