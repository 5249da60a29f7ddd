"""Findings to syslog: RFC 5424, over UDP (RFC 5426) or TCP with octet counting (RFC 6587, section 3.4.1).

Neither is encrypted or acknowledged; where that matters, send to a relay on the same machine.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from immure.detections.deliver.receiver import Receiver
from immure.detections.errors import DetectionError
from immure.detections.finding import Finding, Severity
from immure.errors import UsageError

#: Facility 10: security and authorisation messages.
_FACILITY: Final = 10
_SEVERITIES: Final[dict[Severity, int]] = {"critical": 2, "high": 3, "medium": 4, "low": 5, "info": 6}
#: Bytes that every receiver over UDP should take (RFC 5426, section 3.2), and the longest over TCP.
_MOST: Final = {"udp": 2048, "tcp": 8192}
_PLACE: Final = re.compile(r"(udp|tcp)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})")
#: An element of structured data has a private number behind its name; this one is for examples (RFC 5612).
_ELEMENT: Final = "immure@32473"


@dataclass(frozen=True, slots=True)
class SyslogPlace:
    """``udp://host:port`` or ``tcp://host:port``."""

    transport: Literal["udp", "tcp"]
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> SyslogPlace:
        """The place that a text names; raises UsageError."""
        found = _PLACE.fullmatch(text)
        if found is None or not 0 < int(found[3]) < 65536:
            raise UsageError("syslog is udp://HOST:PORT or tcp://HOST:PORT")
        return cls("udp" if found[1] == "udp" else "tcp", found[2].strip("[]"), int(found[3]))


class Syslog(Receiver):
    """A receiver of syslog."""

    def __init__(self, place: SyslogPlace, *, seconds: float = 10.0) -> None:
        self.name = f"syslog:{place.transport}:{place.host}:{place.port}"
        self._place, self._seconds = place, seconds

    def send(self, findings: Sequence[Finding]) -> None:
        """See :meth:`Receiver.send`."""
        place = self._place
        lines = [message(one, _MOST[place.transport]) for one in findings]
        try:
            if place.transport == "tcp":
                with socket.create_connection((place.host, place.port), timeout=self._seconds) as connection:
                    connection.sendall(b"".join(b"%d %s" % (len(line), line) for line in lines))
                    connection.shutdown(socket.SHUT_WR)
                return
            family, kind, protocol, _, address = socket.getaddrinfo(
                place.host, place.port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind, protocol) as sender:
                for line in lines:
                    sender.sendto(line, address)
        except OSError as error:
            words = error.strerror or type(error).__name__
            raise DetectionError(f"syslog at {place.host}:{place.port}: {words}") from error


def message(finding: Finding, most: int) -> bytes:
    """A finding as a message, at most ``most`` bytes long; texts are cut, never a value in the middle.

    >>> one = Finding("token-forged", "critical", "a token", keys={"digest": "00"}, last=0)
    >>> message(one, 2048).decode().partition(" immure ")[0]
    '<82>1 1970-01-01T00:00:00.000000Z -'
    """
    moment = datetime.fromtimestamp((finding.last or 0) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = f"<{_FACILITY * 8 + _SEVERITIES[finding.severity]}>1 {moment} - immure - {finding.rule[:32]} "
    values = {"id": finding.id, "count": str(finding.count), **finding.keys, **finding.facts}
    words = _ascii(finding.reason or finding.title)[: most // 4]
    room = most - len(head) - len(words) - len(_ELEMENT) - 8
    parts: list[str] = []
    for name, value in values.items():
        part = f' {_name(name)}="{_escaped(value)}"'
        if len(part) <= room:
            parts.append(part)
            room -= len(part)
    return f"{head}[{_ELEMENT}{''.join(parts)}] {words}".encode("ascii")


def _name(text: str) -> str:
    return re.sub(r'[^!-~]|[=\]"]', "_", text)[:32] or "_"


def _escaped(text: str) -> str:
    return re.sub(r'([\\"\]])', r"\\\1", _ascii(text))


def _ascii(text: str) -> str:
    """Printable ASCII only: what is sent may end up on a terminal."""
    return "".join(one if " " <= one <= "~" else "?" for one in text)
