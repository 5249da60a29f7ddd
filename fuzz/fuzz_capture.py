"""Feeds broken messages, settings and names to immure.capture, as they come from sockets and files."""

from __future__ import annotations

from contextlib import suppress

from driver import run

from immure.capture.crash import Crash
from immure.capture.forwarding import expand
from immure.capture.handing import parse_crash, parse_message
from immure.capture.pattern import Pattern
from immure.capture.protocol import Request, Verdict, ack, parse_request
from immure.capture.settings import Settings, parse_size
from immure.errors import ImmureError


def check_capture(data: bytes) -> None:
    """Each parser takes the bytes, or says that it does not."""
    with suppress(ImmureError):
        request = parse_request(data)
        for verdict in (Verdict.KERNEL | Verdict.WAIT, Verdict.REFUSE):
            with suppress(ImmureError):
                assert len(ack(request, verdict)) == 16
    with suppress(ImmureError):
        crash = parse_crash(parse_message(data).get("crash"))
        assert 0 < crash.pid < 1 << 32
    text = data.decode("utf-8", "replace")
    with suppress(ImmureError):
        settings = Settings.from_toml(text)
        assert Settings.from_toml(settings.to_toml()) == settings
    with suppress(ImmureError):
        assert parse_size(text) >= 0
    pattern = Pattern(text)
    assert pattern.kind in ("file", "pipe", "socket")
    assert (pattern.owner is None) == (pattern.kind == "file")
    crash = Crash(7, comm=text[:20], executable=text)
    assert len(expand(text, crash)) == len(text.removeprefix("|").split())
    assert "/" not in crash.name


SEEDS = [
    Request(15).to_bytes(),
    b'{"crash": {"pid": 4711, "uid": 1000, "gid": 1000, "signal": 6}}',
    b'{"ask": "state"}',
    b'keep = "redacted"\nmemory = "2 GiB"\nkeys = ["a", "b"]\nrotate = true\npatience = 5.5\n',
    b"|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h %d %% %e %E",
    b"@@/run/immure/core.sock",
    b"512 MiB",
]

if __name__ == "__main__":
    run(check_capture, SEEDS)
