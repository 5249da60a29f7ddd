"""``oauth4webapi`` and ``jose`` on Node as clients of the running service."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from servers.program import found
from signing.house import BACK, CONTOSO, MAIL, SECRET
from signing.real.serving import Serving
from tokens.minting import private

_CACHE = Path(__file__).parents[3] / ".make" / "clients"
_PACKAGES = ("oauth4webapi@3", "jose@6")
_PROGRAM = Path(__file__).with_name("oauth4webapi.mjs")


@pytest.fixture(scope="module")
def program() -> list[str]:
    """The command; its packages are installed once, beside what else is built."""
    node, npm = found("node", "Debian: nodejs"), found("npm", "Debian: npm")
    _CACHE.mkdir(parents=True, exist_ok=True)
    if not all((_CACHE / "node_modules" / one.partition("@")[0]).is_dir() for one in _PACKAGES):
        command = [npm, "install", "--prefix", str(_CACHE), "--no-audit", "--no-fund", *_PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        if done.returncode:
            pytest.skip(f"NOT TESTED: npm cannot install the clients: {done.stderr.strip()[-200:]}")
    # modules are looked for beside the program
    shutil.copy(_PROGRAM, _CACHE / _PROGRAM.name)
    return [node, str(_CACHE / _PROGRAM.name)]


def test_oauth4webapi(served: Serving, program: list[str]) -> None:
    numbers = private("ES256").private_numbers()
    from immure.keymaterial.key import b64url

    point = numbers.public_numbers
    key = {
        "kty": "EC",
        "crv": "P-256",
        "kid": "ES256",
        **{name: b64url(value.to_bytes(32, "big")) for name, value in (("x", point.x), ("y", point.y))},
        "d": b64url(numbers.private_value.to_bytes(32, "big")),
    }
    given = {"issuer": served.enterprise, "secret": SECRET, "back": BACK, "audience": MAIL, "key": key}
    done = subprocess.run(
        [*program, json.dumps(given)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["same"] is True
    assert got["credentials"]["sub"] == "signer"
    assert got["credentials"]["cnf"] == {"jkt": got["thumbprint"]}
    assert got["credentials"]["token_type"] == "dpop"
    assert got["refused"] == "invalid_scope"
    assert (got["access"]["sub"], got["access"]["tid"]) == ("ada", CONTOSO)
    assert got["identity"]["aud"] == "web"
    assert got["refreshed"] == {"sub": "ada", "another": True}
    assert (got["before"], got["after"]) == (True, False)
