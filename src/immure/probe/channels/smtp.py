"""SMTP submission (RFC 4954, RFC 6409): a token logs in, or does not."""

from __future__ import annotations

from typing import Final

from immure.probe.answer import Answer, Outcome
from immure.probe.channels.channel import Channel
from immure.probe.channels.connection import BoundError, Place, connected, failed
from immure.probe.channels.lines import Lines
from immure.probe.channels.sasl import Login, is_fault

_MOST_LINES: Final = 200
_HELLO: Final = b"EHLO immure-probe.invalid"


class SmtpChannel(Channel):
    """Logs in to one submission server; nothing is mailed.

    Args:
        place: host and port.
        login: who, and the mechanism.
        target: the address for reports.
    """

    name = "smtp"

    def __init__(self, place: Place, login: Login, target: str) -> None:
        self._place = place
        self._login = login
        self.target = target

    def ask(self, token: str | None) -> Answer:
        """See :meth:`Channel.ask`."""
        first = self._login.first(token)
        try:
            with connected(self._place) as (sock, deadline):
                lines = Lines(sock, deadline)
                try:
                    return self._talk(lines, first)
                finally:
                    lines.close()
        except (OSError, EOFError, BoundError) as error:
            return failed(error)

    def _talk(self, lines: Lines, first: bytes) -> Answer:
        if _heard(lines)[0] != 220 or _said(lines, _HELLO) != 250:
            return Answer(Outcome.UNCLEAR, "the server does not greet")
        if self._place.tls == "starttls":
            if _said(lines, b"STARTTLS") != 220:
                return Answer(Outcome.UNCLEAR, "the server has no STARTTLS")
            lines.secure(self._place)
            _said(lines, _HELLO)
        code, words = _answer(lines, b"AUTH " + self._login.mechanism.encode())
        fault = False
        for word in (first, self._login.last):
            if code != 334:
                break
            fault = is_fault(words)
            code, words = _answer(lines, word)
        return _meaning(code, fault=fault)


def _said(lines: Lines, line: bytes) -> int:
    return _answer(lines, line)[0]


def _answer(lines: Lines, line: bytes) -> tuple[int, bytes]:
    lines.send(line)
    return _heard(lines)


def _heard(lines: Lines) -> tuple[int, bytes]:
    """Code and last words of an answer of one or several lines (RFC 5321, section 4.2)."""
    for _ in range(_MOST_LINES):
        line = lines.read()
        code = line[:3]
        if not (len(code) == 3 and code.isdigit()):
            raise BoundError("the server does not answer with a code")
        if line[3:4] != b"-":
            return int(code), line[4:].strip()
    raise BoundError("the server says too much")


def _meaning(code: int, *, fault: bool) -> Answer:
    words = f"SMTP {code}"
    if code == 235:
        return Answer(Outcome.LET_IN, words)
    if fault or code in (421, 432, 450, 451, 454):
        return Answer(Outcome.BROKE, words)
    return Answer(Outcome.REFUSED if 500 <= code < 600 else Outcome.UNCLEAR, words)
