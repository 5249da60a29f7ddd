"""Repositories of which not all can be read: what is missing is told, and never called searched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from immure.watching.result import Result
from immure.watching.state import State

from .making import Made, commit, git, look, places, write_tree


@pytest.fixture
def packed(tmp_path: Path, key: Made) -> Path:
    """A repository with a deleted key, in a pack; and another object, in another one."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    commit(repository, {"k": key.pem})
    (repository / "k").unlink()
    commit(repository, {"a": b"text"})
    git(repository, "repack", "-adq")
    return repository


def packs(repository: Path, suffix: str = "pack") -> list[Path]:
    found = sorted((repository / ".git/objects/pack").glob(f"*.{suffix}"))
    for path in found:
        path.chmod(0o600)
    return found


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


def pack_cut(repository: Path) -> None:
    (path,) = packs(repository)
    cut(path, path.stat().st_size - 40)


def index_cut(repository: Path) -> None:
    (path,) = packs(repository, "idx")
    cut(path, 500)


def index_gone(repository: Path) -> None:
    for suffix in ("idx", "rev"):
        for path in packs(repository, suffix):
            path.unlink()


def fetch_broken_off(repository: Path) -> None:
    (path,) = packs(repository)
    path.rename(path.with_name("tmp_pack_Ab12"))
    index_gone(repository)


def push_broken_off(repository: Path) -> None:
    (path,) = packs(repository)
    (there := path.parent.parent / "tmp_objdir-incoming-x/pack").mkdir(parents=True)
    path.rename(there / path.name)
    index_gone(repository)


def alternate_gone(repository: Path) -> None:
    (repository / ".git/objects/info").mkdir(exist_ok=True)
    (repository / ".git/objects/info/alternates").write_text("/nowhere/objects\n")


def reasons(result: Result) -> str:
    return "\n".join(f"{trouble.place}: {trouble.reason}" for trouble in result.runs[0].troubles)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (pack_cut, "does not match index"),
        (index_cut, "is too small"),
        (index_gone, "is a pack without an index"),
        (fetch_broken_off, "tmp_pack_Ab12: is unfinished"),
        (push_broken_off, "is a pack without an index"),
        (alternate_gone, "/nowhere/objects"),
    ],
)
def test_a_pack_that_git_cannot_read_is_told(
    packed: Path, damage: Callable[[Path], None], words: str
) -> None:
    assert look(packed).complete
    damage(packed)
    result = look(packed)
    assert not result.complete
    assert words in reasons(result)


def test_a_damaged_pack_costs_nothing_but_itself(packed: Path, key: Made, other: Made) -> None:
    for number in range(2):
        commit(packed, {f"other{number}": other.pem + b"%d" % number})
        git(packed, "repack", "-dq")
    write_tree(packed, {f"other{number}": b"gone" for number in range(2)})
    for path in packs(packed):  # git lists packs in an order of its own: each is once the damaged one
        whole = path.read_bytes()
        cut(path, len(whole) - 40)
        found = places(look(packed))
        assert len(found.get(key.name, ())) + len(found.get(other.name, ())) == 2
        path.write_bytes(whole)


def test_what_is_in_an_unreadable_pack_is_not_gone(packed: Path, tmp_path: Path, key: Made) -> None:
    state = State(tmp_path / "state")
    assert places(look(packed, state=state)) == {key.name: {"k"}}
    index_cut(packed)
    result = look(packed, state=state)
    assert not result.gone
    assert places(result) == {key.name: {"k"}}


def test_files_beside_the_objects_are_searched(packed: Path, other: Made) -> None:
    write_tree(packed / ".git/objects", {"note": other.pem, "pack/readme.txt": b"x" + other.pem})
    result = look(packed)
    assert places(result)[other.name] == {".git!objects/note", ".git!objects/pack/readme.txt"}
    assert result.complete


def test_a_shallow_clone_is_not_all_of_the_history(packed: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{packed}", "shallow")
    result = look(tmp_path / "shallow")
    assert not result.complete
    assert "shallow: is a shallow clone" in reasons(result)


def test_the_paths_in_a_shallow_clone(packed: Path, tmp_path: Path, other: Made) -> None:
    commit(packed, {"conf/k": other.pem})
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{packed}", "shallow")
    (tmp_path / "shallow/conf/k").unlink()
    with (tmp_path / "shallow/.git/shallow").open("a") as stream:
        stream.write("no commit\n")
    assert places(look(tmp_path / "shallow")) == {other.name: {"conf/k"}}


@pytest.mark.parametrize("name", ["config", "shallow"])
def test_a_file_of_git_that_never_ends_holds_nothing_up(packed: Path, key: Made, name: str) -> None:
    (packed / ".git" / name).unlink(missing_ok=True)
    os.mkfifo(packed / ".git" / name)
    assert places(look(packed)) == {key.name: {"k"}}


def test_a_partial_clone_is_not_all_of_the_history(packed: Path, tmp_path: Path) -> None:
    git(packed, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{packed}", "partial")
    result = look(tmp_path / "partial")
    assert not result.complete
    assert "is a partial clone" in reasons(result)


def test_the_history_of_a_working_tree_whose_repository_is_elsewhere(
    packed: Path, tmp_path: Path, key: Made
) -> None:
    git(packed, "worktree", "add", "-q", str(tmp_path / "trees/one"), "-b", "one")
    git(packed, "worktree", "add", "-q", str(tmp_path / "trees/two"), "-b", "two")
    assert places(look(tmp_path / "trees/one")) == {key.name: {"k"}}
    (paths,) = places(look(tmp_path / "trees")).values()
    assert paths == {"one/k"}, "the repository of both is gone into once"
    (paths,) = places(look(tmp_path)).values()
    assert paths == {"repository/k"}, "a repository in the tree is met there"


def test_the_history_of_a_submodule(packed: Path, tmp_path: Path, key: Made) -> None:
    (above := tmp_path / "above").mkdir()
    git(above, "init", "-q")
    git(above, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(packed), "sub dir")
    assert places(look(above / "sub dir")) == {key.name: {"k"}}
    assert places(look(above)) == {key.name: {".git/modules/sub dir/k"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gitdir: {there}\n", "which does not know it"),
        ("gitdir: /nowhere\n", "its repository is not at /nowhere"),
        ("gitdir: a\0b\n", "its repository is not at "),
    ],
)
def test_a_file_that_names_a_repository_which_does_not_know_it(
    packed: Path, tmp_path: Path, text: str, words: str
) -> None:
    write_tree(tmp_path / "foreign", {".git": text.format(there=packed / ".git").encode()})
    result = look(tmp_path / "foreign")
    assert not result.findings
    assert not result.complete
    assert words in reasons(result)


def test_a_file_called_git_is_searched_itself(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"a/.git": key.pem, "b/.git": b"gitdir: /nowhere\n" + key.pem})
    assert places(look(tmp_path)) == {key.name: {"a/.git", "b/.git"}}
