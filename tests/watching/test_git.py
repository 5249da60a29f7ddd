"""Repositories with all their history, and such as nobody should run git in."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from immure.watching.sources import git as git_source
from immure.watching.sources import git_process
from immure.watching.sources.git import Git
from immure.watching.sources.staged import Staged
from immure.watching.state import State

from .making import Made, commit, git, look, places, write_tree


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    return path


def details(result: object) -> dict[str, str]:
    return {sighting.full_path: sighting.detail for sighting in result.sightings}  # type: ignore[attr-defined]


def test_a_deleted_key_is_found_with_the_commit_that_brought_it(repository: Path, key: Made) -> None:
    commit(repository, {"README": b"hello"})
    brought = commit(repository, {"conf/old key.pem": key.pem})
    (repository / "conf/old key.pem").unlink()
    commit(repository, {})
    result = look(repository)
    assert places(result) == {key.name: {"conf/old key.pem"}}
    assert details(result)["conf/old key.pem"].startswith(f"commit {brought} of ")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_packs_and_loose_objects_of_both_digests(tmp_path: Path, key: Made, packed: bool, form: str) -> None:
    (repository := tmp_path / "r").mkdir()
    git(repository, "init", "-q", f"--object-format={form}")
    for number in range(20):
        commit(repository, {"k": b"#" * number + key.pem, f"f{number}": b"text %d" % number})
    if packed:
        git(repository, "gc", "-q", "--aggressive")
    result = look(tmp_path)
    assert result.complete
    (found,) = result.findings
    assert (
        len({sighting.content for sighting in found.sightings if sighting.place.startswith("r/.git!git:")})
        == 20
    )


def test_what_no_branch_leads_to_is_found(repository: Path, key: Made, other: Made) -> None:
    commit(repository, {"a": b"text"})
    commit(repository, {"k": key.pem})
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    git(repository, "hash-object", "-w", "--stdin", data=other.pem)
    result = look(repository)
    assert set(places(result)) == {key.name, other.name}
    assert places(result)[key.name] == {"k"}
    assert [detail for path, detail in details(result).items() if path.startswith("git:")] == [
        "a commit or tag, or a blob that is in no commit"
    ]


def test_messages_of_commits_and_tags_are_searched(repository: Path, key: Made, other: Made) -> None:
    write_tree(repository, {"a": b"text"})
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-F", "-", data=key.pem)
    git(repository, "tag", "-F", "-", "v1", data=other.pem)
    assert {key.name, other.name} <= set(places(look(repository)))


def test_bare_repositories_and_those_deep_in_a_tree(tmp_path: Path, repository: Path, key: Made) -> None:
    commit(repository, {"d/k": key.pem})
    git(tmp_path, "clone", "-q", "--bare", str(repository), "deep/bare.git")
    git(tmp_path, "clone", "-q", str(repository), "deep/clone")
    (tmp_path / "deep/clone/d/k").unlink()
    assert places(look(tmp_path / "deep")) == {key.name: {"bare.git/d/k", "clone/d/k"}}
    assert places(look(tmp_path / "deep/bare.git")) == {key.name: {"d/k"}}


def test_objects_are_read_once(repository: Path, tmp_path: Path, key: Made) -> None:
    commit(repository, {"k": key.pem, "a": b"text"})
    state = State(tmp_path / "state")
    look(repository, state=state)
    commit(repository, {"b": b"more"})
    result = look(repository, state=state)
    # the new blob and commit, the file itself; and what git itself writes at each commit
    names = {"blob and commit": 2, "index, logs, message": 5}
    assert result.runs[0].scanned <= sum(names.values())
    assert places(result) == {key.name: {"k"}}


HOSTILE = """
[core]
    fsmonitor = touch {mark}
    hooksPath = {hooks}
    sshCommand = touch {mark}
    alternateRefsCommand = touch {mark}
    pager = touch {mark}
    attributesFile = {hooks}/attributes
[diff "x"]
    textconv = touch {mark}
    command = touch {mark}
[filter "x"]
    smudge = touch {mark}
    clean = touch {mark}
[include]
    path = {hooks}/more
[remote "origin"]
    url = ext::touch {mark}
    promisor = true
    partialclonefilter = blob:none
    uploadpack = touch {mark}
[extensions]
    partialClone = origin
[protocol]
    allow = always
[alias]
    cat-file = !touch {mark}
    log = !touch {mark}
"""


def test_a_hostile_configuration_is_not_read(repository: Path, tmp_path: Path, key: Made) -> None:
    missing = git(repository, "hash-object", "-w", "--stdin", data=b"gone").strip()
    commit(repository, {"k": key.pem, ".gitattributes": b"* diff=x filter=x\n"})
    git(repository, "update-index", "--add", "--cacheinfo", f"100644,{missing},missing")
    git(repository, "commit", "-q", "-m", "of which an object is missing")
    (repository / ".git/objects" / missing[:2] / missing[2:]).unlink()
    mark, hooks = tmp_path / "mark", tmp_path / "hooks"
    write_tree(
        hooks, {"more": b"[core]\n fsmonitor = touch %s\n" % bytes(mark), "post-index-change": b"#!/bin/sh\n"}
    )
    (repository / ".git/config").write_text(HOSTILE.format(mark=mark, hooks=hooks))
    result = look(repository)
    assert places(result)[key.name] == {"k"}
    assert not mark.exists()
    assert len(result.findings[0].sightings) == 2, "in the tree and in the history"


def test_replaced_objects_are_seen_as_they_are(repository: Path, key: Made) -> None:
    commit(repository, {"k": key.pem})
    blob = git(repository, "rev-parse", "HEAD:k").strip()
    innocent = git(repository, "hash-object", "-w", "--stdin", data=b"nothing").strip()
    git(repository, "replace", blob, innocent)
    (repository / "k").unlink()
    assert places(look(repository)) == {key.name: {"k"}}


def _loose(repository: Path, name: str) -> Path:
    return repository / ".git/objects" / name[:2] / name[2:]


def test_a_damaged_object_costs_nothing_but_itself(repository: Path, key: Made, other: Made) -> None:
    commit(repository, {"a": os.urandom(5000), "k": key.pem, "z": other.pem})
    path = _loose(repository, git(repository, "rev-parse", "HEAD:a").strip())
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:2000])
    (repository / "k").unlink()
    (repository / "z").unlink()
    result = look(repository)
    assert set(places(result)) == {key.name, other.name}
    assert not result.complete
    assert any("damaged" in trouble.reason for trouble in result.runs[0].troubles)


def test_an_object_that_says_it_is_huge_is_not_read(repository: Path) -> None:
    commit(repository, {"a": b"text"})
    name = "ab" + 38 * "c"
    _loose(repository, name).parent.mkdir(exist_ok=True)
    _loose(repository, name).write_bytes(zlib.compress(b"blob 99999999999999\0x"))
    result = look(repository)
    assert any("not read" in trouble.reason for trouble in result.runs[0].troubles)


def test_git_that_does_not_answer_is_given_up(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, {"a": b"text"})
    program = tmp_path / "bin/git"
    write_tree(tmp_path, {"bin/git": b"#!/bin/sh\nexec sleep 60\n"})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git_process, "PATIENCE", 0.3)
    result = look(Git(str(repository / ".git")))
    assert [trouble.reason for trouble in result.runs[0].troubles] == ["git has not answered for 0 s"]


def test_without_git_the_repository_is_told_to_be_unread(
    repository: Path, monkeypatch: pytest.MonkeyPatch, key: Made
) -> None:
    commit(repository, {"a": key.pem})
    monkeypatch.setenv("PATH", "/nowhere")
    result = look(repository)
    assert places(result)[key.name] == {"a"}
    assert "needs the program git" in [trouble.reason for trouble in result.runs[0].troubles]


def test_a_large_blob_is_streamed(repository: Path, key: Made) -> None:
    commit(repository, {"core": bytes(20 << 20) + key.pem + bytes(1 << 20)})
    (repository / "core").unlink()
    result = look(repository)
    assert places(result) == {key.name: {"core"}}
    assert result.complete


def test_a_tree_with_endless_paths_costs_the_paths_only(
    repository: Path, key: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = git(repository, "hash-object", "-w", "--stdin", data=key.pem).strip()
    tree = git(repository, "mktree", data=f"100644 blob {blob}\tk\n".encode()).strip()
    for _ in range(2):
        lines = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
        tree = git(repository, "mktree", data=lines.encode()).strip()
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", tree, "-m", "x").strip())
    asked: list[bytes] = []
    line = git_process.Process.line
    monkeypatch.setattr(
        git_process.Process, "line", lambda self, end=b"\n": asked.append(end) or line(self, end)
    )
    monkeypatch.setattr(git_source, "_MOST_ANSWERS", 7)
    assert set(places(look(repository))) == {key.name}
    assert asked.count(b"\0") < 20


def test_staged_changes_only(repository: Path, key: Made, other: Made) -> None:
    commit(repository, {"old": other.pem, "a": b"text"})
    write_tree(repository, {"new key": key.pem, "a": b"changed", "untracked": other.pem})
    git(repository, "add", "new key", "a")
    write_tree(repository, {"new key": b"the key is in the index only"})
    result = look(Staged(str(repository)))
    assert places(result) == {key.name: {"new key"}}
    assert result.runs[0].items == 2


def test_the_first_commit_of_all(repository: Path, key: Made) -> None:
    write_tree(repository, {"k": key.pem})
    git(repository, "add", "-A")
    assert places(look(Staged(str(repository)))) == {key.name: {"k"}}


def test_a_commit_that_only_deletes_brings_nothing_and_is_searched(repository: Path, key: Made) -> None:
    commit(repository, {"k": key.pem, "a": b"text"})
    git(repository, "rm", "-q", "k")
    result = look(Staged(str(repository)))
    assert (result.runs[0].items, result.complete, result.findings) == (0, True, [])
