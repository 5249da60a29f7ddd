from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import pytest

from immure.replay.controls import CONTROLS
from immure.replay.matrix import Played, all_on, as_in_2023
from immure.replay.report.html import write_html
from immure.replay.report.json import write_json
from immure.replay.report.terminal import Teller, closing, remarks, table
from replay.canned import STORM, matrix, outcome

BOTH = [Played("as in 2023", outcome(as_in_2023())), Played("all controls", outcome(all_on(STORM)))]
STANDS_IN = ("a mailbox over HTTP stands in for Dovecot",)
VOID = {"meta", "br", "hr"}


def page(played: list[Played]) -> str:
    stream = io.StringIO()
    write_html(played, STANDS_IN, stream)
    return stream.getvalue()


def document(played: list[Played]) -> dict[str, object]:
    stream = io.StringIO()
    write_json(played, STANDS_IN, stream)
    made: dict[str, object] = json.loads(stream.getvalue())
    return made


class Balance(HTMLParser):
    """Sees to it that each element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("played", [BOTH, BOTH[:1], BOTH[1:], matrix()], ids=["two", "2023", "all", "matrix"])
def test_a_page_is_whole_and_loads_nothing(played: list[Played]) -> None:
    text = page(played)
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert "default-src &#x27;none&#x27;" in text
    assert "<script" not in text
    links = [value for name, value in balance.attributes if name in ("src", "href", "xlink:href", "action")]
    assert all(value is not None and value.startswith("#") for value in links)
    assert not re.search(r"url\((?!#)|@import|https?://(?!a\.example)", text)
    assert "it crashes &lt;b&gt;&amp;" in text


def test_what_the_page_shows() -> None:
    text = page(BOTH)
    assert text.count('class="chain"') == 2
    assert text.count('class="timeline"') == 2
    assert "Memory map" not in text  # its caption says what it is
    assert "64.0 KiB" in text or "256.0 KiB" in text
    assert "The mail of 25 organizations was read, and nobody knows." in text
    assert f"Not the real thing here: {STANDS_IN[0]}" in text
    assert text.count("custody: the key is in files, and in the memory of the front end") == 1
    assert text.count("custody: a PKCS#11 token has the key: SoftHSM2 behind p11-kit server") == 1
    assert text.count("a part<") == 1  # of both worlds


def test_the_page_of_a_matrix_has_a_row_for_each_world() -> None:
    text = page(matrix())
    for name in CONTROLS:
        assert f"<b>only {name}</b>" in text
        assert f"<b>all but {name}</b>" in text
    assert text.count('class="chain"') == 2
    assert "Each control did what it is there for." in text
    assert "a control is a sham" in page(matrix(sham="gate"))


def test_the_document() -> None:
    made = document(BOTH)
    assert made["as_expected"] is True
    assert made["stands_in"] == list(STANDS_IN)
    first, last = made["worlds"]  # type: ignore[misc]
    assert (first["name"], first["mailboxes_read"], first["broke_at"]) == ("as in 2023", 25, None)
    assert (last["name"], last["mailboxes_read"], last["broke_at"]) == ("all controls", 0, 1)
    assert (first["custody"], first["reconciled_by"]) == ("file", None)
    assert (last["custody"], last["reconciled_by"]) == ("pkcs11", "detect")
    assert document(matrix(sham="scan"))["as_expected"] is False


def test_the_table_and_what_is_said_of_it() -> None:
    lines = list(table(matrix(sham="rotation")))
    assert len(lines) == 2 + len(matrix())
    assert [line for line in lines if line.endswith("NO")] == [
        line for line in lines if line.startswith("only rotation")
    ]
    said = list(remarks(matrix(sham="rotation"), STANDS_IN))
    assert any(
        line.startswith("NOT AS IT SHOULD BE: only rotation: expected a break at link 5") for line in said
    )
    assert not any(line.startswith("NOT AS") for line in remarks(matrix(), ()))


def test_the_story() -> None:
    world = as_in_2023()
    teller = Teller(STORM, world)
    told = outcome(world)
    lines = [*teller.opening(), *(line for one in told.moments for line in teller.lines(one)), *closing(told)]
    text = "\n".join(lines)
    assert "1. The dump of a crashed signer holds the key" in text
    assert "custody: the key is in the memory of the front end" in text
    assert ">> The mail of 25 organizations was read, and nobody knows." in text
    assert all(len(line) <= 110 for line in lines)
