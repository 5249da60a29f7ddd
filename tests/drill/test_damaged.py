"""What is left of a PEM text when the heap writes over its beginning: numbers across lines."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from drill import hold, keys
from drill.images import Image


@pytest.mark.parametrize("charset", ["ascii", "utf-16-le"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\\n"])
@pytest.mark.parametrize(("name", "kept_from"), [("rsa.pem", 300), ("rsa.trad.pem", 200), ("p256.pem", 50)])
def test_numbers_in_lines(name: str, kept_from: int, line_end: str, charset: str, tmp_path: Path) -> None:
    key = keys.make(name.split(".")[0])
    keys.write_private(key, tmp_path)
    text = (tmp_path / name).read_text().replace("\n", line_end)[kept_from:].encode(charset)
    noise = random.Random(name).randbytes
    (tmp_path / "image").write_bytes(noise(5000) + bytes(200) + text + bytes(200) + noise(5000))
    outcome = hold.hold(Image("damaged", "raw", tmp_path / "image", (key,), signs=True))
    assert outcome.present > 0
    assert outcome.keys_found == 1
    if charset == "ascii":  # the sweep knows line ends in one character set
        assert outcome.missed == []
