"""The mail servers of those who are told: one that takes whatever the response sends, and keeps it.

It speaks as much SMTP (RFC 5321) as a sender needs. What sends to it is Immure's own; this is the world.
"""

from __future__ import annotations

import socketserver
import threading
from typing import Final

_MOST_LINE: Final = 4096
_MOST_LETTER: Final = 1 << 20


class PostOffice(socketserver.ThreadingTCPServer):
    """Use it as a context.

    Attributes:
        letters: address, and the message that came for it.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.letters: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def port(self) -> int:
        """Where it listens, on this machine."""
        return int(self.server_address[1])

    def __enter__(self) -> PostOffice:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    server: PostOffice
    timeout = 30

    def handle(self) -> None:
        self._say("220 post.example ESMTP")
        to = ""
        while line := self.rfile.readline(_MOST_LINE):
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                self._say("250-post.example\r\n250 8BITMIME")
            elif verb.startswith(b"RCPT TO:"):
                to = line[8:].split(b">")[0].strip().lstrip(b"<").decode("ascii", "replace")
                self._say("250 fine")
            elif verb == b"DATA":
                self._say("354 go on")
                self.server.letters.append((to, self._letter()))
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _letter(self) -> bytes:
        found = b""
        while len(found) < _MOST_LETTER:
            line = self.rfile.readline(_MOST_LINE)
            if not line or line.rstrip(b"\r\n") == b".":
                break
            found += line
        return found

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode("ascii") + b"\r\n")
