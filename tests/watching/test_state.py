"""What the state remembers, forgets, and shares."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from immure.clock import now
from immure.scanning.options import ScanOptions
from immure.watching.errors import StateError
from immure.watching.question import ask
from immure.watching.sources.opening import open_source
from immure.watching.sources.staged import Staged
from immure.watching.state import State
from immure.watching.state_layout import LAYOUT
from immure.watching.watch import Watch

from .making import Made, git, look, places, write_tree


def test_what_is_gone_is_told_once(tmp_path: Path, key: Made, other: Made) -> None:
    state = State(tmp_path / "state")
    gone = []
    for data in (key.pem, other.pem, None, None):
        if data is None:
            (tmp_path / "t/k").unlink(missing_ok=True)
        else:
            write_tree(tmp_path / "t", {"k": data})
        gone.append({one.hit.key.thumbprint for one in look(tmp_path / "t", state=state).gone})
    assert gone == [set(), {key.name}, {other.name}, set()]


def test_a_watch_that_began_earlier_does_not_make_a_later_one_lose_what_it_saw(
    tmp_path: Path, key: Made
) -> None:
    write_tree(tmp_path / "t", {"k": key.pem})
    question = ask([], ScanOptions(threads=1))
    early, late = now() - timedelta(minutes=5), now()
    state = State(tmp_path / "state")
    Watch(state, question, clock=lambda: late).run(open_source(str(tmp_path / "t")))
    Watch(State(tmp_path / "state"), question, clock=lambda: early).run(open_source(str(tmp_path / "t")))
    target = str(tmp_path / "t")
    (sighting,) = state.sightings(target, question)
    assert sighting.last_seen == late
    state.conclude(target, late, late, ())
    assert not [one for one in state.sightings(target, question) if one.gone]


def test_what_is_staged_is_a_target_of_its_own(tmp_path: Path, key: Made, other: Made) -> None:
    (repository := tmp_path / "r").mkdir()
    git(repository, "init", "-q")
    write_tree(repository, {"k": key.pem, "new": other.pem})
    git(repository, "add", "new")
    state = State(tmp_path / "state")
    look(repository, state=state)
    staged = look(Staged(str(repository)), state=state)
    assert places(staged) == {other.name: {"new"}}
    assert not staged.gone
    assert look(repository, state=state).runs[0].scanned == 0


def test_the_files_of_a_state_in_the_target_are_no_items(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": b"text"})
    state = State(tmp_path / "state")
    for _ in range(2):
        result = look(open_source(str(tmp_path), leave_out=state.files), state=state)
        assert (result.runs[0].items, result.complete) == (1, True)


@pytest.mark.parametrize(("layout", "words"), [(LAYOUT + 1, f"has layout {LAYOUT + 1}"), (0, "has layout 0")])
def test_a_state_of_another_version_is_refused(tmp_path: Path, layout: int, words: str) -> None:
    State(tmp_path / "state").close()
    with sqlite3.connect(tmp_path / "state") as database:
        database.execute(f"PRAGMA user_version = {layout}")
    with pytest.raises(StateError, match=words):
        State(tmp_path / "state")


def test_layout_1_is_brought_up_to_date(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path / "t", {"k": key.pem})
    state = State(tmp_path / "state")
    first = look(tmp_path / "t", state=state)
    state.close()
    with sqlite3.connect(tmp_path / "state") as database:  # as release 0.1 wrote it
        for statement in (
            "ALTER TABLE hits RENAME TO new",
            "CREATE TABLE hits (content TEXT NOT NULL, key TEXT NOT NULL, inside TEXT NOT NULL,"
            " kind TEXT NOT NULL, proof TEXT NOT NULL, whole INTEGER NOT NULL, count INTEGER NOT NULL,"
            " spots TEXT NOT NULL, PRIMARY KEY (content, key, inside)) WITHOUT ROWID",
            "INSERT INTO hits SELECT content, key, inside, kind, proof, whole, count, spots FROM new",
            "INSERT INTO hits SELECT content, 'rule:a:b', inside, 'rule', proof, 1, 1, '[]' FROM new",
            "INSERT INTO keys VALUES ('rule:a:b', 'rule b', 'rule', NULL, NULL)",
            "INSERT INTO sightings SELECT target, place, 'rule:a:b', inside, content, path, detail,"
            " first_seen, last_seen, gone FROM sightings",
            "INSERT INTO asked SELECT version, 'rules:' || version FROM questions",
            "DROP TABLE new",
            "PRAGMA user_version = 1",
        ):
            database.execute(statement)
    state = State(tmp_path / "state")
    second = look(tmp_path / "t", state=state)
    assert places(second) == {key.name: {"k"}}
    assert second.findings[0].first_seen == first.findings[0].first_seen
    assert second.runs[0].scanned == 0
    assert not second.gone
    with sqlite3.connect(tmp_path / "state") as database:
        assert not database.execute("SELECT * FROM asked WHERE name LIKE 'rules:%'").fetchall()
