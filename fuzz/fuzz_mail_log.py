"""Feeds broken events, records, settings and checkpoints to the readers of the mail server's logs."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp

from driver import run

from immure.mail.access import MOST_BYTES, decode_access, encode_access
from immure.mail.checkpoint import read_checkpoint
from immure.mail.settings_file import parse_mail_settings
from immure.mail.translate import Translator

PLACE = Path(mkdtemp(prefix="immure-fuzz-"))
CONNECTION = {"user": "ada@a.example", "session": "AAAB", "remote_ip": "192.0.2.7", "remote_port": 1}
TOKEN = {"token_digest": "0" * 32, "token_issuer": "https://a.example", "mail_tenant": "7ab8"}
SETTINGS = b"""version = 1
introspection = "http://127.0.0.1:8930/introspect"
secret_file = "secret"
[domains."a.example"]
issuer = "https://login.example"
tenant = "7ab8"
[tls]
certificate = "c.pem"
key = "c.key"
[postfix]
socket = "auth"
"""
(PLACE / "secret").write_text("a-secret-of-the-fuzzer")
(PLACE / "secret").chmod(0o600)


def line(name: str, **fields: object) -> bytes:
    """An event."""
    value = {"event": name, "end_time": "2026-11-30T06:50:31.5Z", "fields": CONNECTION | fields}
    return json.dumps(value).encode()


EVENTS = [
    line("auth_client_request_finished", protocol="imap", mechanism="XOAUTH2", **TOKEN),
    line("mail_opened", mailbox="INBOX", uid=2, reason_code=["imap:fetch_body"], service="imap", **TOKEN),
    line("imap_command_finished", cmd_name="UID COPY", cmd_args='2 "B"', tagged_reply_state="OK",
         tagged_reply="OK [COPYUID 1 2 3] Done.", mailbox="INBOX"),
    line("smtp_server_transaction_finished", mail_from="ada@a.example", recipients_succeeded=1),
    line("mail_user_session_finished", service="imap", net_in_bytes=1, **TOKEN),
]  # fmt: skip
CHECKPOINT = json.dumps(
    {
        "version": 1, "inode": 1, "offset": 2, "output_size": 3, "output_inode": 4, "head": "00",
        "head_bytes": 1, "sessions": [["s x", "0" * 32, "i", "t", "m", "s"]],
    }
).encode()  # fmt: skip


def check(data: bytes) -> None:
    """Each reader gives what it promises, or one of our errors."""
    kind, rest = data[:1], data[1:]
    if kind == b"r":
        record = decode_access(rest)
        assert decode_access(encode_access(record)) == record
    elif kind == b"s":
        made = parse_mail_settings(rest, str(PLACE / "mail.toml"))
        assert made.domains
        assert made.accounts.owner != "root"
    elif kind == b"c":
        path = PLACE / "checkpoint"
        path.write_bytes(rest)
        known = read_checkpoint(path)
        assert known is not None
        assert known.offset >= 0
    else:
        _check_events(rest)


def _check_events(text: bytes) -> None:
    translator = Translator()
    lines = text.split(b"\n")
    records = translator.records(lines)
    lost = sum(one.lines or 0 for one in records if one.action == "gap")
    whole = sum(one.action != "gap" for one in records)
    assert whole + lost + translator.passed == len(lines), "a line was dropped silently"
    for record in records:
        row = encode_access(record)
        assert len(row) <= MOST_BYTES
        assert decode_access(row) == record


if __name__ == "__main__":
    rows = [b"r" + encode_access(one) for one in Translator().records(EVENTS)]
    run(
        check,
        [
            b"e" + b"\n".join(EVENTS),
            *(b"e" + one for one in EVENTS),
            *rows,
            b"s" + SETTINGS,
            b"c" + CHECKPOINT,
        ],
    )
