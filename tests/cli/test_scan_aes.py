"""``immure scan --aes``: what it prints, in which formats, and with which exit code."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from immure.cli.main import cli
from immure.keymaterial.aes import Layout
from immure.synth import plant

KEY = random.Random("cli aes").randbytes(16)
LAYOUT = Layout(16, "encryption", swapped=False)


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(cli, ["scan", *(str(one) for one in arguments)], standalone_mode=False)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A key, and one that a standard prints."""
    memory = bytearray(64 << 10)
    plant(memory, 4096, LAYOUT.write(KEY))
    plant(memory, 8192, LAYOUT.write(bytes(range(16))))
    path = tmp_path / "memory.raw"
    path.write_bytes(memory)
    return path


def test_it_is_found_only_if_it_is_asked_for(image: Path) -> None:
    assert run(image).return_value == 0
    done = run(image, "--aes")
    assert done.return_value == 1
    assert "AES-128 key" in done.stdout
    assert "176 bytes are the encryption key schedule of an AES-128 key" in " ".join(done.stdout.split())
    assert "test vector of FIPS 197, appendix C" in " ".join(done.stdout.split())
    assert KEY.hex() not in done.output


def test_nothing_else_needs_to_be_named(image: Path) -> None:
    assert run(image, "--aes", "--no-harvest").return_value == 1


@pytest.mark.parametrize("form", ["json", "sarif", "html"])
def test_every_format_has_it_and_none_has_the_key(image: Path, form: str) -> None:
    done = run(image, "--aes", "--format", form)
    assert done.return_value == 1
    assert KEY.hex() not in done.stdout
    if form == "json":
        report = json.loads(done.stdout)
        (finding,) = report["images"][0]["findings"]
        assert (finding["kind"], finding["key"]["kty"], finding["key"]["size"]) == ("schedule", "oct", 128)
        assert report["detectors"][-1] == "aes"
    elif form == "sarif":
        (result,) = json.loads(done.stdout)["runs"][0]["results"]
        assert result["ruleId"] == "immure/aes-key"
