"""The mail servers of those who are told."""

from __future__ import annotations

import smtplib
import socket

from immure.replay.post_office import PostOffice


def test_it_keeps_what_comes():
    with PostOffice() as post:
        with smtplib.SMTP("127.0.0.1", post.port, timeout=20) as sender:
            sender.sendmail("a@example.com", ["b@example.com"], "Subject: one\r\n\r\ntext\r\n")
            sender.sendmail("a@example.com", ["c@example.com"], "Subject: two\r\n\r\ntext\r\n")
        assert [to for to, _ in post.letters] == ["b@example.com", "c@example.com"]
        assert post.letters[0][1] == b"Subject: one\r\n\r\ntext\r\n"


def test_a_line_without_end_is_not_waited_for():
    with PostOffice() as post, socket.create_connection(("127.0.0.1", post.port), timeout=20) as caller:
        caller.sendall(b"DATA" + bytes(20_000) + b"\r\nQUIT\r\n")
        caller.shutdown(socket.SHUT_WR)
        said = b""
        while piece := caller.recv(4096):
            said += piece
        assert said.startswith(b"220 ")
        assert said.endswith(b"221 bye\r\n")
        assert post.letters == []
