"""Events as Dovecot 2.4.1 wrote them, with their fields shortened."""

from __future__ import annotations

import json
from typing import Any

DIGEST = "1ca640d5828e8279e9e037a39f3fde2d"
TOKEN = {"token_digest": DIGEST, "token_issuer": "https://login.example", "mail_tenant": "7ab8"}
CONNECTION = {
    "user": "ada@contoso.example",
    "session": "SPvWu3hhRKp/AAAB",
    "remote_ip": "192.0.2.7",
    "remote_port": 43588,
    "local_port": 993,
}


def event(name: str, time: str = "2026-11-30T06:50:31.500000Z", **fields: Any) -> bytes:
    """A line, without its end; fields of None are left out."""
    every = {key: value for key, value in {**CONNECTION, **fields}.items() if value is not None}
    return json.dumps({"event": name, "hostname": "vm", "end_time": time, "fields": every}).encode()


def login(**fields: Any) -> bytes:
    given = {"protocol": "imap", "mechanism": "XOAUTH2", **TOKEN, **fields}
    return event("auth_client_request_finished", **given)


def opened(**fields: Any) -> bytes:
    given = {
        "service": "imap",
        "cmd_name": "FETCH",
        "reason_code": ["imap:cmd_fetch", "imap:fetch_body"],
        "mailbox": "INBOX",
        "uid": 2,
        **TOKEN,
        **fields,
    }
    return event("mail_opened", **given)


def command(name: str, args: str = "", **fields: Any) -> bytes:
    given = {"cmd_name": name, "cmd_args": args, "tagged_reply_state": "OK", "mailbox": "INBOX", **fields}
    return event("imap_command_finished", **given)


def sent(**fields: Any) -> bytes:
    given = {
        "session": "another",
        "mail_from": "ada@contoso.example",
        "recipients_succeeded": 2,
        "data_size": 41,
        **fields,
    }
    return event("smtp_server_transaction_finished", **given)


def ended(**fields: Any) -> bytes:
    given = {"service": "imap", "net_in_bytes": 3, "net_out_bytes": 4, **TOKEN, **fields}
    return event("mail_user_session_finished", **given)
