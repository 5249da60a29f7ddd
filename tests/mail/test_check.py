"""What a check says of servers: of fakes, whatever they do, and of real ones that are right or wrong."""

from __future__ import annotations

import io
import json
import socket
import threading
from pathlib import Path

import pytest

from immure.cli.main import run
from immure.mail.capabilities import Entrance, Offer, offered
from immure.mail.check import Attempt, CheckReport, Door, Verdict, check
from immure.mail.check_report import write_json, write_table
from immure.mail.running import LocalMail
from mail.house import ADA, BOB, MailHouse
from servers.program import free_port

IMAPS, IMAP = Entrance("imap", "h", 993, True), Entrance("imap", "h", 143, False)
SMTP = Entrance("smtp", "h", 587, False)
GOOD = Attempt("good", "a good token", "let in", "g", ADA, everywhere=True)
BAD = Attempt("bad", "a bad token", "refused", "b", ADA)
QUIET = Offer(frozenset({"XOAUTH2"}))


def report(
    outcomes: dict[str, str], offer: Offer = QUIET, attempts: tuple[Attempt, ...] = (GOOD, BAD)
) -> CheckReport:
    doors = [
        Door(one, mechanism, lambda token, _: (outcomes[token], "words"))
        for one in (IMAPS, IMAP, SMTP)
        for mechanism in ("XOAUTH2", "OAUTHBEARER")
    ]
    return check("h", doors, attempts, lambda _: offer)


CASES = [
    ({"g": "let in", "b": "refused"}, QUIET, Verdict.RIGHT),
    ({"g": "let in", "b": "let in"}, QUIET, Verdict.WRONG),
    ({"g": "refused", "b": "refused"}, QUIET, Verdict.UNKNOWN),
    ({"g": "refused", "b": "let in"}, QUIET, Verdict.WRONG),
    ({"g": "let in", "b": "broke"}, QUIET, Verdict.UNKNOWN),
    ({"g": "let in", "b": "no answer"}, QUIET, Verdict.UNKNOWN),
    ({"g": "let in", "b": "not asked"}, QUIET, Verdict.UNKNOWN),
    ({"g": "let in", "b": "refused"}, Offer(frozenset({"PLAIN", "XOAUTH2"})), Verdict.WRONG),
    ({"g": "let in", "b": "refused"}, Offer(in_the_open=frozenset({"XOAUTH2"})), Verdict.WRONG),
    ({"g": "let in", "b": "refused"}, Offer(failure="it does not answer"), Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("outcomes", "offer", "verdict"), CASES)
def test_a_verdict(outcomes: dict[str, str], offer: Offer, verdict: Verdict):
    made = report(outcomes, offer)
    assert made.verdict is verdict
    table, text = io.StringIO(), io.StringIO()
    write_table(made, table)
    write_json(made, text)
    assert json.loads(text.getvalue())["verdict"] == verdict.value
    assert table.getvalue().splitlines()[-1].startswith(verdict.value)


def test_without_a_good_token_nothing_is_right():
    assert report({"b": "refused"}, attempts=(BAD,)).verdict is Verdict.UNKNOWN


def test_good_tokens_go_to_every_door_and_others_to_one_of_each_protocol():
    rows = report({"g": "let in", "b": "refused"}).rows
    assert len([row for row in rows if row.name == "good"]) == 6
    assert [(row.door, row.mechanism) for row in rows if row.name == "bad"] == [
        ("imaps", "XOAUTH2"),
        ("submission", "XOAUTH2"),
    ]
    assert len([row for row in rows if row.name == "offer.in-the-open"]) == 2


def test_a_token_is_not_printed():
    assert "secret-token" not in repr(Attempt("x", "y", "refused", "secret-token", ADA))


@pytest.mark.parametrize(
    "said",
    [b"", b"junk\r\n" * 50, b"* OK hello\r\n", b"220 hello\r\n", b"* BYE no\r\n", b"\xff" * 9000, b"220"],
    ids=range(7),
)
@pytest.mark.parametrize("entrance", [("imap", True), ("imap", False), ("smtp", True), ("smtp", False)])
def test_a_server_may_say_what_it_wants(said: bytes, entrance: tuple[str, bool]):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            session, _ = server.accept()
            session.sendall(said)
            session.close()

        threading.Thread(target=talk, daemon=True).start()
        port = server.getsockname()[1]
        protocol, implicit = entrance
        place = Entrance("imap" if protocol == "imap" else "smtp", "127.0.0.1", port, implicit, seconds=2)
        assert offered(place).failure


# --- the command, with real servers ---


def command(house: MailHouse, mail: LocalMail, directory: Path, *more: str) -> list[str]:
    """``immure mail check`` with a good token and a forged one."""
    good = house.issued("ada")
    for name, token in (("good", good), ("bad", house.stolen("consumer", good))):
        (directory / f"{name}.jwt").write_text(token + "\n")
    ports = [
        word
        for name in ("imap", "imaps", "submission", "submissions")
        for word in (f"--{name}", str(mail.ports[name]))
    ]
    return [
        "mail", "check", "127.0.0.1", "--user", ADA, "--good", str(directory / "good.jwt"),
        "--bad", str(directory / "bad.jwt"), "--other-user", BOB, *ports,
        "--ca-file", str(house.authority.certificate), *more,
    ]  # fmt: skip


OWNED = ("--i-own-this", "127.0.0.1")


@pytest.mark.real
def test_our_server_is_right(
    house: MailHouse, mail: LocalMail, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code = run([*command(house, mail, tmp_path, *OWNED), "--format", "json"])
    printed = capsys.readouterr()
    rows = json.loads(printed.out)["rows"]
    assert [row for row in rows if row["verdict"] != "right"] == []
    assert code == 0
    assert {row["door"] for row in rows} == {"imap", "imaps", "submission", "submissions"}
    assert (tmp_path / "good.jwt").read_text().strip() not in printed.out + printed.err


@pytest.mark.real
def test_what_a_wrong_server_lets_in_is_said(
    house: MailHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One that takes passwords, and good tokens by any name."""
    with house.mail() as mail:
        mail.halt()
        text = mail.configuration.read_text()
        text = text.replace(
            "auth_mechanisms = oauthbearer xoauth2", "auth_mechanisms = oauthbearer xoauth2 plain"
        )
        text = text.replace("ssl = required", "ssl = yes")
        begin = text.index("passdb refusals {")
        end = text.index("}\n", text.index("result_internalfail", begin)) + 2
        mail.configuration.write_text(text[:begin] + text[end:])
        mail.start()
        code = run([*command(house, mail, tmp_path, *OWNED), "--other-user", "ada@fabrikam.example"])
    lines = capsys.readouterr().out.splitlines()
    wrong = {
        line.split()[2] if "offer" in line else line.split()[3] for line in lines if line.startswith("!")
    }
    assert code == 1
    assert wrong == {"offer.passwords", "other-user"}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ([], 2, "--i-own-this must name this very host"),
        ([*OWNED, "--imap", "0", "--imaps", "0", "--submission", "0", "--submissions", "0"], 2, "no way in"),
        ([*OWNED, "--good", "none.jwt"], 2, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: list[str], code: int, words: str
):
    for name in ("good", "bad"):
        (tmp_path / name).write_text("e30.e30.AA")
    given = ["--user", ADA, "--good", str(tmp_path / "good"), "--bad", str(tmp_path / "bad")]
    assert run(["mail", "check", "127.0.0.1", *given, *changes]) == code
    assert words in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("good", "bad"):
        (tmp_path / name).write_text("e30.e30.AA")
    given = ["--user", ADA, "--good", str(tmp_path / "good"), "--bad", str(tmp_path / "bad")]
    ports = ["--imap", "0", "--submission", "0", "--submissions", "0", "--imaps", str(free_port())]
    assert run(["mail", "check", "127.0.0.1", *given, *ports, *OWNED]) == 3
    assert "cannot tell" in capsys.readouterr().out


def test_tokens_are_made_from_a_kit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["probe", "init", str(tmp_path / "kit"), "-q"]) == 0
    kit = ["--kit", str(tmp_path / "kit" / "kit.toml"), "--user", "immure-probe@contoso.example"]
    ports = ["--imap", "0", "--submission", "0", "--submissions", "0", "--imaps", str(free_port())]
    assert run(["mail", "check", "127.0.0.1", *kit, *ports, *OWNED]) == 3
    assert "scope.incident" in capsys.readouterr().out
    assert run(["mail", "check", "127.0.0.1", *kit, *ports, *OWNED, "--only", "nothing"]) == 2
