"""How far something is that is counted."""

from __future__ import annotations

import io

from immure.cli.count_progress import count_progress, lines


def test_progress_for_logs_is_a_line_now_and_then() -> None:
    stream, now = io.StringIO(), [0.0]
    told = lines("cases", stream, lambda: now[0])
    for moment in range(0, 40, 4):
        now[0] = moment
        told(moment, 40, "alg.none")
    assert stream.getvalue().splitlines() == [
        "immure: 16 of 40 cases, now alg.none",
        "immure: 32 of 40 cases, now alg.none",
    ]


def test_progress_for_people_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with count_progress("cases", stream) as told:
        told(1, 2, "alg.none")
    assert "alg.none" in stream.getvalue()
    silent = Terminal()
    with count_progress("cases", silent, quiet=True) as told:
        told(1, 2, "alg.none")
    assert silent.getvalue() == ""


def test_nothing_is_said_of_what_is_next_where_there_is_nothing_to_say() -> None:
    stream, now = io.StringIO(), [0.0]
    told = lines("rows", stream, lambda: now[0])
    now[0] = 16.0
    told(1500, 200_000)
    assert stream.getvalue() == "immure: 1,500 of 200,000 rows\n"
