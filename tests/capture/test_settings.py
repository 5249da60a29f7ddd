from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.capture.settings import Settings, parse_size, read_settings
from immure.errors import ImmureError, UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("512M", 512 << 20),
        ("2 GiB", 2 << 30),
        ("2gb", 2 << 30),
        (" 1T ", 1 << 40),
        ("", None),
        ("-1", None),
        ("1.5G", None),
        ("1 X", None),
        ("٣", None),
        ("9" * 20, None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(UsageError, match="is no size"):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('keep = "redacted"', None),
        ('keys = ["a", "b"]\nmemory = "1G"\nrotate = true\npatience = 5', None),
        ("keep = ", "is not TOML"),
        ("kep = 1", "unknown setting 'kep'"),
        ('keep = "all"', "keep is one of"),
        ("keep = 1", "'keep' has a value of the wrong type"),
        ('keys = "a"', "'keys' has a value of the wrong type"),
        ("keys = [1]", "'keys' has a value of the wrong type"),
        ("reading = true", "'reading' has a value of the wrong type"),
        ("reading = -1", "'reading' is negative"),
        ("reading = 0", "at least one core"),
        ("workers = 0", "there must be a worker"),
        ('memory = "much"', "is no size"),
        ('forward_to = "|/bin/x"', "only redacted cores are handed on"),
        ('keep = "redacted"\nforward_to = "core"', "|/path"),
    ],
)
def test_files(text: str, words: str | None) -> None:
    if words is None:
        settings = Settings.from_toml(text)
        assert Settings.from_toml(settings.to_toml()) == settings
    else:
        with pytest.raises(UsageError, match=words.replace("|", r"\|")):
            Settings.from_toml(text, "capture.toml")


def test_defaults_need_no_file(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none") == Settings() == Settings.from_toml(Settings().to_toml())
    assert Settings().memory_bytes > 1 << 24
    with pytest.raises(UsageError, match="no such file"):
        read_settings(tmp_path / "none", must_exist=True)
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path / "latin")


@given(st.text())
def test_any_text_is_settings_or_an_error(text: str) -> None:
    with suppress(ImmureError):
        Settings.from_toml(text)
