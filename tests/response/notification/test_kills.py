"""kill -9 at every step of a notification: it resumes, skips nothing, repeats nothing that it knows of."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from immure.response.incident import Incident
from response.notification.conftest import Open
from response.notification.making import CONTOSO, Mailroom

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.drill), 4])
def test_killed_at_steps(open_incident: Open, post: Mailroom, tmp_path: Path, every: int) -> None:
    incident = open_incident(CONTOSO)
    copies = tmp_path / "copies"
    copies.mkdir()
    command = [
        sys.executable, "-m", "response.notification.killed_process",
        str(incident.folder), str(copies), f"file:{tmp_path}/incident.key", str(post.port), str(every),
    ]  # fmt: skip
    doubled = 0
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        steps = 0
        for line in process.stdout:
            steps, _ = (int(word) for word in line.split())
            doubled += _look(copies / str(steps), post)
            post.raw.clear()
            process.stdin.write("\n")
            process.stdin.flush()
    assert process.returncode == 0
    assert steps > 20, "each entry, name and letter is a step before and a step after"
    # taken and not written down: killed after DATA, and before and in the midst of the entry, for two letters
    assert (2 if every == 1 else 0) <= doubled <= 6


def _look(folder: Path, post: Mailroom) -> int:
    """See that everybody has one letter; returns how many were taken twice."""
    came = post.delivered()
    assert sorted(to for to, _ in came) == ["ceo@contoso.example", "it@contoso.example"], "one id for each"
    by_id: dict[str, set[bytes]] = {}
    for (_, message), (_, data) in zip(post.messages(), post.raw, strict=True):
        by_id.setdefault(str(message["Message-ID"]), set()).add(data)
    assert all(len(datas) == 1 for datas in by_id.values()), (
        "the same bytes, so that a server knows them again"
    )
    notes = [one.body for one in Incident.load(folder).entries() if one.body.get("notice") == "delivery"]
    begun = Counter(str(one["to"]) for one in notes if one["state"] == "begun")
    sent = Counter(str(one["to"]) for one in notes if one["state"] == "sent")
    for (to, _), count in came.items():
        assert sent[to] == 1, "written down as sent once"
        assert count <= begun[to], "nothing left the house that was not written down before"
        assert count - sent[to] <= begun[to] - 1, "more than once only where nobody knew"
    return sum(count - 1 for count in came.values())
