"""``immure probe`` as it is called."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from immure.cli import main
from immure.probe.catalogue import CATALOGUE

from .sockets import answering, talking

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NO = b"HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def probe(kit_directory: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str, kit: bool = True) -> tuple[int, str, str]:
        named = ["--kit", str(kit_directory / "kit.toml"), "--rate", "1000"] if kit else []
        code = main.run(["probe", *named, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def mailbox(head: bytes) -> bytes:
    """Lets in whatever looks like a token."""
    return OK if head.count(b".") >= 4 and b"Bearer ey" in head else NO


def test_something_is_let_in(probe: Any) -> None:
    with talking(answering(mailbox)) as port:
        url = f"http://127.0.0.1:{port}/inbox?secret=1"
        code, out, err = probe(url, "--i-own-this", "127.0.0.1", "--only", "scope")
    assert code == 1
    assert "scope.incident" in out
    assert "23 tokens were let in that must be refused" in out
    assert "secret" not in out + err


def test_cannot_tell(probe: Any) -> None:
    with talking(answering(OK)) as port:
        assert probe(f"http://127.0.0.1:{port}/", "--i-own-this", "127.0.0.1")[0] == 3
    with talking(answering(NO)) as port:
        code, out, _ = probe(f"http://127.0.0.1:{port}/", "--i-own-this", "127.0.0.1", "-f", "json")
    assert code == 3
    assert json.loads(out)["reason"] == "no good token is let in, so that refusals mean nothing"


def test_a_report_in_a_file(probe: Any, tmp_path: Path) -> None:
    with talking(answering(mailbox)) as port:
        url, path = f"http://127.0.0.1:{port}/inbox", tmp_path / "probe.sarif"
        options = ("--i-own-this", "127.0.0.1", "--only", "alg.none", "-q", "-f", "sarif", "-o", str(path))
        assert probe(url, *options)[1:] == ("", "")
    assert json.loads(path.read_text())["version"] == "2.1.0"


def test_only_hosts_that_are_named_are_asked(probe: Any) -> None:
    asked = threading.Event()
    with talking(lambda sock: asked.set()) as port:
        for more in ((), ("--i-own-this", "localhost"), ("--i-own-this", f"127.0.0.1:{port}")):
            code, _, err = probe(f"http://127.0.0.1:{port}/", *more)
            assert code == 2
            assert "--i-own-this must name this very host" in err
    assert not asked.is_set()


def test_the_list(probe: Any) -> None:
    code, out, _ = probe("--list", kit=False)
    assert code == 0
    assert "scope.incident" in out
    code, out, _ = probe("--list", "-f", "json", "--only", "alg", kit=False)
    rows = json.loads(out)
    assert {row["group"] for row in rows} == {"alg"}
    assert len(rows) == sum(case.group == "alg" for case in CATALOGUE)


def test_a_dry_run(probe: Any, tmp_path: Path) -> None:
    code, out, err = probe("--dry-run", str(tmp_path / "tokens"), "--only", "scope")
    assert (code, out) == (0, "")
    assert "the tokens of 23 cases; nothing was sent" in err
    assert (tmp_path / "tokens" / "scope.incident.jwt").exists()


def test_a_new_kit(probe: Any, tmp_path: Path) -> None:
    options = ("--algorithm", "ES256", "--audience", "api://x")
    code, out, _ = probe("init", str(tmp_path / "kit"), *options, kit=False)
    assert code == 0
    assert "audience  api://x" in out
    assert (tmp_path / "kit" / "kit.toml").exists()
    assert probe("init", str(tmp_path / "kit"), kit=False)[0] == 2


USAGE = {
    "no kit": (["https://a/"], False),
    "no URL": ([], True),
    "no such case": (["--only", "scoop", "https://a/"], True),
    "nothing left": (["https://a/", "--i-own-this", "a", "--only", "alg", "--skip", "alg"], True),
    "statuses": (["https://a/", "--i-own-this", "a", "--let-in", "2xx"], True),
    "regex": (["https://a/", "--i-own-this", "a", "--let-in-body", "("], True),
    "header": (["https://a/", "--i-own-this", "a", "--header", "X"], True),
    "client": (["https://a/", "--i-own-this", "a", "--client-id", "x"], True),
    "rate": (["https://a/", "--i-own-this", "a", "--rate", "0"], True),
    "user": (["imaps://a/", "--i-own-this", "a"], True),
    "certificates": (["https://a/", "--i-own-this", "a", "--ca-file", "/nothing"], True),
    "output": (["https://a/", "--i-own-this", "a", "-o", "/nothing/x"], True),
}


@pytest.mark.parametrize("name", USAGE)
def test_what_cannot_be_done(probe: Any, name: str) -> None:
    arguments, kit = USAGE[name]
    assert probe(*arguments, kit=kit)[0] == 2


def test_a_secret_that_others_can_read(probe: Any, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush")
    path.chmod(0o644)
    options = ("--i-own-this", "a", "--introspection", "--client-id", "x", "--client-secret-file", str(path))
    code, out, err = probe("https://a/", *options)
    assert code == 3
    assert "others have permissions" in err
    assert "hush" not in out + err


def test_no_token_and_no_key_is_printed(probe: Any, kit_directory: Path) -> None:
    heads: list[bytes] = []

    def kept(head: bytes) -> bytes:
        heads.append(head)
        return mailbox(head)

    with talking(answering(kept)) as port:
        for form in ("terminal", "json", "sarif", "html"):
            options = ("--i-own-this", "127.0.0.1", "--only", "scope,alg", "-f", form)
            _, out, err = probe(f"http://127.0.0.1:{port}/", *options)
            for head in heads:
                for part in head.split(b"Bearer ")[-1].split(b"\r\n")[0].split(b"."):
                    assert len(part) < 40 or part.decode() not in out + err
            assert "PRIVATE" not in out + err
    assert len(heads) > 100


def test_nobody_listens(probe: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, out, _ = probe(f"http://127.0.0.1:{port}/", "--i-own-this", "127.0.0.1")
    assert code == 3
    assert "Cannot tell" in out
