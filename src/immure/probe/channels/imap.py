"""IMAP (RFC 9051): a token logs in, or does not."""

from __future__ import annotations

from typing import Final

from immure.probe.answer import Answer, Outcome
from immure.probe.channels.channel import Channel
from immure.probe.channels.connection import BoundError, Place, connected, failed
from immure.probe.channels.lines import Lines
from immure.probe.channels.sasl import Login, is_fault

#: Of the lines between ours and the answer to it.
_MOST_LINES: Final = 200


class ImapChannel(Channel):
    """Logs in to one mailbox.

    Args:
        place: host and port.
        login: whose mailbox, and the mechanism.
        target: the address for reports.
    """

    name = "imap"

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
        greeting = lines.read().upper()
        if not greeting.startswith(b"* OK"):
            return Answer(Outcome.UNCLEAR, "the server does not greet as one that asks for a login")
        if self._place.tls == "starttls":
            lines.send(b"a STARTTLS")
            if not _tagged(lines, b"A").startswith(b"OK"):
                return Answer(Outcome.UNCLEAR, "the server has no STARTTLS")
            lines.secure(self._place)
        lines.send(b"b AUTHENTICATE " + self._login.mechanism.encode())
        return self._answer(lines, first)

    def _answer(self, lines: Lines, first: bytes) -> Answer:
        """The server asks once for the token, and may then ask to hear the error out."""
        said, fault = [first, self._login.last], False
        for _ in range(_MOST_LINES):
            line = lines.read()
            if line.startswith(b"+"):
                if not said:
                    raise BoundError("the server asks for more and more")
                fault = is_fault(line[1:].strip())
                lines.send(said.pop(0))
            elif line.upper().startswith(b"B "):
                return _meaning(line[2:].strip().upper(), fault=fault)
        raise BoundError("the server says too much")


def _tagged(lines: Lines, tag: bytes) -> bytes:
    for _ in range(_MOST_LINES):
        line = lines.read().upper()
        if line.startswith(tag + b" "):
            return line[len(tag) + 1 :].strip()
    raise BoundError("the server says too much")


def _meaning(answer: bytes, *, fault: bool) -> Answer:
    word = answer.split(b" ")[0].split(b"[")[0]
    if word == b"OK":
        return Answer(Outcome.LET_IN, "OK")
    if fault or b"[UNAVAILABLE]" in answer[:40] or b"[SERVERBUG]" in answer[:40]:
        return Answer(Outcome.BROKE, "NO, for a fault of its own")
    if b"[LIMIT]" in answer[:40] or b"[INUSE]" in answer[:40]:
        return Answer(Outcome.UNCLEAR, "NO, for now")
    if word in (b"NO", b"BAD"):
        return Answer(Outcome.REFUSED, word.decode())
    return Answer(Outcome.UNCLEAR, "neither OK nor NO")
