"""The exact edges of policy files; see test_edges.py."""

from __future__ import annotations

import pytest

from immure.errors import PolicyError
from immure.tokens.policy_file import MOST_BYTES, read_policy


@pytest.mark.parametrize(
    ("name", "words"),
    [("none", "No such file or directory"), ("", "Is a directory"), ("\0", "embedded null")],
)
def test_what_is_said_of_policy_files_that_cannot_be_read(tmp_path, name, words):
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path / name)
    said = str(caught.value)  # what is said of a null differs from one Python to another
    assert said.partition(" byte")[0].partition(" char")[0] == f"{tmp_path / name}: cannot be read: {words}"
    assert caught.value.path == str(tmp_path / name)


def test_what_is_no_toml_says_where(tmp_path):
    (tmp_path / "p").write_text("[a\n")
    with pytest.raises(PolicyError, match=r"is no TOML: .*line 1"):
        read_policy(tmp_path / "p")
    (tmp_path / "p").write_text(f"[{'a' * 300}]\n" * 2)
    with pytest.raises(PolicyError) as caught:
        read_policy(tmp_path / "p")
    assert len(caught.value.reason) == len("is no TOML: ") + 200


def test_the_longest_policy_file(tmp_path):
    (tmp_path / "p").write_bytes(b"#" * MOST_BYTES)
    with pytest.raises(PolicyError, match="version is not 1"):
        read_policy(tmp_path / "p")
    (tmp_path / "p").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(PolicyError, match="is longer than"):
        read_policy(tmp_path / "p")
