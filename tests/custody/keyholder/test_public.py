"""What the scanner gets of a key holder: public halves, by which it finds the private ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.custody import keys as files

import immure
from immure.cli.keyholder import keyholder
from immure.custody.keyholder import KeyHolder
from immure.registry.state import KeyState

from .making import CHEAP, PIN, rules


@pytest.fixture
def store(path: Path, tmp_path: Path) -> Path:
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        for kind, algorithm in {"P-256": "ES256", "RSA-2048": "RS256"}.items():
            source = files.write_key(tmp_path / kind, files.private_bytes(kind))
            holder.import_key(kind, rules(algorithm), source)
        holder.set_state("P-256", KeyState.DEACTIVATED)
        holder.set_state("P-256", KeyState.DESTROYED)
    return path


def ask(store: Path, tmp_path: Path, *words: str) -> str:
    pin = files.write_key(tmp_path / "pin", PIN.encode())
    done = CliRunner().invoke(keyholder, ["public", str(store), "--pin-file", str(pin), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_dump_is_searched_by_it(store: Path, tmp_path: Path) -> None:
    """Also for a key that is destroyed: the dump may be older."""
    text = ask(store, tmp_path)
    jwks = tmp_path / "jwks.json"
    jwks.write_text(text)
    assert '"d"' not in text
    assert [one["kid"] for one in json.loads(text)["keys"]] == ["P-256", "RSA-2048"]
    image = tmp_path / "image"
    number = files.key("P-256").private_numbers().private_value
    prime = files.key("RSA-2048").private_numbers().p
    image.write_bytes(bytes(5000) + number.to_bytes(32, "big") + bytes(3000) + prime.to_bytes(128, "little"))
    found = {one.key.thumbprint for one in immure.scan(image, keys=jwks)}
    with KeyHolder.start(store, [PIN], **CHEAP) as holder:
        assert found == {info.public.thumbprint for info in holder.list().values()}


def test_thumbprints(store: Path, tmp_path: Path) -> None:
    with KeyHolder.start(store, [PIN], **CHEAP) as holder:
        names = [info.public.thumbprint for info in holder.list().values()]
    lines = ask(store, tmp_path, "-f", "thumbprints").splitlines()
    assert lines == [f"{names[0]}  P-256  destroyed", f"{names[1]}  RSA-2048  active"]
