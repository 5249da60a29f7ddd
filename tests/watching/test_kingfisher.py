"""Credentials by the rules of an engine that exists: findings of the kind "rule", like those of YARA."""

from __future__ import annotations

import random
import string
import sys
from pathlib import Path

import pytest

from immure.scanning.credentials import NotRead
from immure.watching.errors import RulesError
from immure.watching.kingfisher import Kingfisher
from watching.making import places, write_tree
from watching.test_patterns import look_with

CHANCE = random.Random("kingfisher")


def token() -> str:
    """As GitLab makes them; none is written down here."""
    return "glpat-" + "".join(CHANCE.choices(string.ascii_letters + string.digits, k=20))


@pytest.mark.timeout(120)
def test_a_token_in_a_file_is_a_finding_and_is_not_told(tmp_path: Path) -> None:
    secret, other = token(), token()
    write_tree(tmp_path, {"ci.env": f"# ours\nTOKEN={secret}\nMORE={other}\n".encode(), "else": b"nothing\n"})
    result = look_with(tmp_path, Kingfisher())
    ((name, paths),) = places(result).items()
    assert name.endswith("gitlab-pat")
    assert paths == {"ci.env"}
    (finding,) = result.findings
    (sighting,) = finding.sightings
    assert (sighting.hit.kind, sighting.hit.count) == ("rule", 2)
    assert [(spot.offset, spot.length) for spot in sighting.hit.spots] == [(13, 26), (45, 26)]
    assert secret not in repr(result)
    assert other not in repr(result)


def test_another_confidence_is_another_question() -> None:
    assert Kingfisher("high").name != Kingfisher().name


def test_what_the_engine_gave_up_on_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "immure.watching.kingfisher.CredentialSearch.search", lambda *_: iter([NotRead(0, 9, "gave up")])
    )
    write_tree(tmp_path, {"a": b"anything."})
    (run,) = look_with(tmp_path, Kingfisher()).runs
    assert [(gap.reason, gap.length) for gap in run.troubles] == [("gave up", 9)]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kingfisher_sdk", None)
    with pytest.raises(RulesError, match=r"pip install 'immure\[credentials\]'"):
        Kingfisher()
