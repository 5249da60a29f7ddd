"""Feeds broken requests to a witness and its server, and broken answers to who asks one."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from driver import run

from immure.auditlog import NoteKey, parse_checkpoint
from immure.auditlog.cosignature import parse_witness
from immure.auditlog.witness import Witness, ask_witness, witnessed
from immure.auditlog.witnessed import check_witnessed
from immure.errors import LogError
from immure.ledger.errors import LedgerError
from immure.ledger.posting import Answer
from immure.ledger.witness_app import WitnessApp
from immure.ledger.witnesses import outcome_of, parse_place

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from auditlog.helpers import SoftwareSigner
from ledger.making import NoteKeyPair, make_log

PLACE = Path(mkdtemp(prefix="immure-fuzz-"))
OWNER, WATCHER = NoteKeyPair(), SoftwareSigner(2, "witness.example")
KEY = NoteKey(OWNER.name, OWNER.public_key)
LOG, FORK = make_log(PLACE / "log", OWNER), make_log(PLACE / "fork", OWNER)
for number in range(9):
    LOG.append("a", {"number": number})
    FORK.append("a", {"number": number if number < 5 else -number})
WITNESS = Witness(PLACE / "seen", WATCHER, {OWNER.name: KEY})
#: What this witness may have signed: states of one history, whatever comes.
FIRST = ask_witness(LOG, 0)
LINE = WITNESS.add_checkpoint(FIRST)
NOTE = witnessed(LOG.checkpoint().note, LINE)


def check(data: bytes) -> None:
    """Nothing but the history that it saw is signed, and nothing else counts as signed."""
    kind, rest = data[:1], data[1:]
    if kind == b"q":
        _check_request(rest)
    elif kind == b"n":
        with suppress(LogError):
            seen = check_witnessed(rest, KEY, [WITNESS.key], 1)
            assert seen.checkpoint == LOG.checkpoint()
    elif kind == b"v":
        with suppress(LogError, LedgerError):
            text = rest.decode("utf-8", "replace")
            if " " in text:
                assert parse_place(text).url.startswith(("https://", "http://"))
            else:
                assert parse_witness(parse_witness(text).to_vkey()) == parse_witness(text)
    else:
        _check_answer(rest)


def _check_request(body: bytes) -> None:
    status, answer = asyncio.run(_posted(body))
    assert status in (200, 400, 403, 404, 409, 413, 422)
    if status == 200:
        note = body.partition(b"\n\n")[2]
        assert WITNESS.key.seen(witnessed(note, answer.decode()))
        assert parse_checkpoint(note) == LOG.checkpoint()
    seen = WITNESS.seen(OWNER.name)
    assert seen is not None
    assert seen == LOG.checkpoint()


async def _posted(body: bytes) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/add-checkpoint", "headers": []}
    await WitnessApp(WITNESS)(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def _check_answer(data: bytes) -> None:
    status, _, rest = data.partition(b"\n")
    kind, _, body = rest.partition(b"\n")
    number = int(status) if status.isdigit() and len(status) < 5 else 200
    answer = Answer(number, kind.decode("ascii", "replace"), body)
    with suppress(LogError):
        outcome = outcome_of(WITNESS.key, LOG.checkpoint(), 5, answer)
        if outcome.kind == "signed":
            assert WITNESS.key.seen(witnessed(LOG.checkpoint().note, outcome.line))


def seeds() -> list[bytes]:
    """Good ones of each kind, and what an operator with two histories sends."""
    requests = [FIRST, ask_witness(LOG, 9), ask_witness(LOG, 5), ask_witness(FORK, 5), ask_witness(FORK, 9)]
    answers = [b"200\ntext/plain\n" + LINE.encode(), b"409\ntext/x.tlog.size\n7\n", b"422\n\n", b"404\n\n"]
    line = WITNESS.key.to_vkey().encode()
    return [
        *(b"q" + one for one in requests),
        *(b"a" + one for one in answers),
        b"n" + NOTE,
        b"v" + line,
        b"v" + line + b" https://witness.example/w1",
    ]


if __name__ == "__main__":
    run(check, seeds())
