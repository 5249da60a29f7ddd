"""Streams: pushed to a receiver of other libraries, polled by one, managed over HTTP; faults and kills."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from immure.custody import Signer, open_signer
from immure.custody.generate import generate
from immure.errors import ImmureError
from immure.response.events.errors import EventStoreError, SendError
from immure.response.events.http import Answer, Sender
from immure.response.events.inbox import Inbox
from immure.response.events.kinds import (
    ISSUER_KEY_COMPROMISE,
    SESSION_REVOKED,
    VERIFICATION,
    key_compromise,
    session_revoked,
)
from immure.response.events.outbox import Outbox
from immure.response.events.polling import poll
from immure.response.events.pushing import push
from immure.response.events.receiver import PushReceiver
from immure.response.events.set_token import Received
from immure.response.events.store import EventStore
from immure.response.events.streams import POLL, PUSH, Stream
from immure.response.events.subjects import issuer_subject
from immure.response.events.transmitter import Transmitter
from immure.tokens.keyset import KeySet
from response.events.others import OtherReceiver, receiving, serving

ISSUER, MAIL, AT = "https://login.example/", "https://mail.example", 1790000000
TOKEN, HEADER = "a bearer token of a receiver", {"Authorization": "Bearer a bearer token of a receiver"}
EVENT = key_compromise(ISSUER, "k1", "", since=AT, cause="incident")
SENDER = Sender(allow_loopback=True, seconds=5)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    generate(tmp_path / "events.key")
    with (
        open_signer(f"file:{tmp_path / 'events.key'}") as signer,
        EventStore(tmp_path / "events.db") as store,
    ):
        yield Outbox(store, issuer=ISSUER, signer=signer)


def jwks(signer: Signer) -> dict[str, Any]:
    return {"keys": [{**signer.public.to_jwk(), "kid": signer.thumbprint, "alg": signer.algorithm}]}


def other(outbox: Outbox, **more: Any) -> OtherReceiver:
    return OtherReceiver(jwks(outbox.signer), ISSUER, MAIL, **more)


def pushed(receiver: OtherReceiver, **more: Any) -> Stream:
    return Stream("mail", "mail", MAIL, PUSH, receiver.url, **more)


# --- pushing ---


def test_pushed_to_another_library(outbox: Outbox) -> None:
    with receiving(other(outbox, authorization="Bearer x")) as receiver:
        stream = pushed(receiver, authorization="Bearer x")
        outbox.store.put_stream(stream)
        assert outbox.emit(EVENT) == 1
        for name in ("ada", "bob"):
            outbox.emit(session_revoked(ISSUER, name, at=AT, cause="incident"))
        assert outbox.emit(EVENT) == 0  # the same event is one
        done = push(outbox.store, stream, SENDER)
        assert (done.delivered, done.refused, done.waiting, done.problem) == (3, 0, 0, "")
        kinds = [next(iter(one["events"])) for one in receiver.taken.values()]
        assert kinds == [ISSUER_KEY_COMPROMISE, SESSION_REVOKED, SESSION_REVOKED]
        assert [one["sub_id"].get("sub") for one in receiver.taken.values()] == [None, "ada", "bob"]
        assert push(outbox.store, stream, SENDER).delivered == 0
        assert outbox.emit(EVENT) == 0  # not after it was delivered either
        assert len(receiver.bodies) == 3


#: How a receiver misbehaves; whether the token waits on, and what is said.
FAULTS: list[tuple[str, int | str, bool, str]] = [
    ("400", 400, False, "invalid_request: as it was told"),
    ("401", 401, True, "HTTP status 401"),
    ("404", 404, True, "HTTP status 404"),
    ("500", 500, True, "HTTP status 500"),
    ("503", 503, True, "HTTP status 503"),
    ("a redirect", 302, True, "HTTP status 302"),
    ("hangs", "hang", True, "no answer"),
]


@pytest.mark.parametrize(
    ("how", "waits", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_receiver_that_misbehaves(outbox: Outbox, how: int | str, waits: bool, words: str) -> None:
    with receiving(other(outbox, misbehave=how)) as receiver:
        stream = pushed(receiver)
        outbox.store.put_stream(stream)
        outbox.emit(EVENT)
        outbox.emit(session_revoked(ISSUER, "ada", at=AT))
        done = push(outbox.store, stream, Sender(allow_loopback=True, seconds=0.3))
        if waits:
            assert (done.delivered, done.refused, done.waiting) == (0, 0, 2)
            assert done.problem.startswith(words)
            assert len(receiver.bodies) == 1  # the others are not tried where one is not taken
        else:
            assert (done.delivered, done.refused, done.waiting, done.problem) == (0, 2, 0, "")
            assert {one.detail for one in outbox.store.refused("mail")} == {words}
        first = receiver.bodies[0]
        receiver.misbehave, receiver.bodies[:] = 0, []
        receiver.released.set()
        again = push(outbox.store, stream, SENDER)
        assert again.waiting == 0
        if waits:  # to the byte what was sent before
            assert receiver.bodies[0] == first
            assert len(receiver.taken) == 2


def test_nobody_there(outbox: Outbox) -> None:
    stream = Stream("mail", "mail", MAIL, PUSH, "http://127.0.0.1:9/events")
    outbox.store.put_stream(stream)
    outbox.emit(EVENT)
    done = push(outbox.store, stream, SENDER)
    assert (done.waiting, done.problem) == (1, "cannot be fetched (Connection refused)")


def test_not_to_private_addresses(outbox: Outbox) -> None:
    """A receiver cannot have us ask machines of the house."""
    with pytest.raises(SendError, match="only if it is given directly"):
        Sender().send("http://127.0.0.1/", b"")
    with pytest.raises(SendError, match="is not public"):
        Sender().send("https://10.0.0.1/", b"")
    with pytest.raises(SendError):
        Sender(allow_private_hosts=True).send("https://169.254.169.254/latest", b"")


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_pushing(tmp_path: Path, outbox: Outbox, when: str) -> None:
    """The receiver has the token, and we do not know it; or the other way round: it gets it once, by name."""
    with receiving(other(outbox)) as receiver:
        stream = pushed(receiver)
        outbox.store.put_stream(stream)
        for name in ("ada", "bob", "eve"):
            outbox.emit(session_revoked(ISSUER, name, at=AT))
        pid = os.fork()
        if pid == 0:
            with EventStore(tmp_path / "events.db") as store:
                settle, left = store.settle, [2]

                def killing(*arguments: Any) -> bool:
                    left[0] -= 1
                    if left[0] == 0 and when == "before":
                        os.kill(os.getpid(), signal.SIGKILL)
                    made = settle(*arguments)
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return made

                store.settle = killing  # type: ignore[method-assign]
                push(store, stream, SENDER)
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        assert push(outbox.store, stream, SENDER).waiting == 0
        assert len(receiver.taken) == 3
        assert len(set(receiver.bodies)) == 3  # what came twice is the same to the byte
        assert len(receiver.bodies) == (4 if when == "before" else 3)


# --- polling and management ---


@pytest.fixture
def transmitter(outbox: Outbox) -> Iterator[tuple[str, Outbox]]:
    from servers.program import free_port

    port = free_port()
    base = f"http://127.0.0.1:{port}/ssf"
    receivers = {"mail": hashlib.sha256(TOKEN.encode()).digest(), "chat": hashlib.sha256(b"chat").digest()}
    app = Transmitter(outbox, base=base, receivers=receivers, audiences={"mail": MAIL}, loopback=True)
    with serving(app, port):
        yield base, outbox


def call(method: str, url: str, body: Any = None, headers: Any = HEADER) -> httpx.Response:
    return httpx.request(method, url, json=body, headers=headers, timeout=10)


def test_life_of_a_stream(transmitter: tuple[str, Outbox]) -> None:
    """Found, made, changed, verified, polled by another library, paused, deleted."""
    base, outbox = transmitter
    root = base.removesuffix("/ssf")
    meta = call("GET", f"{root}/.well-known/ssf-configuration", headers={}).json()
    assert meta["issuer"] == ISSUER
    assert meta["delivery_methods_supported"] == [PUSH, POLL]
    stream_url = meta["configuration_endpoint"]
    made = call("POST", stream_url, {"delivery": {"method": POLL}, "description": "our mail"})
    assert made.status_code == 201
    plain = made.json()
    name, poll = plain["stream_id"], plain["delivery"]["endpoint_url"]
    assert (plain["aud"], plain["iss"]) == (MAIL, ISSUER)
    assert plain["events_delivered"] == [ISSUER_KEY_COMPROMISE, SESSION_REVOKED]
    assert call("GET", f"{stream_url}?stream_id={name}").json() == plain
    assert call("GET", stream_url).json() == [plain]
    only = call("PATCH", stream_url, {"stream_id": name, "events_requested": [SESSION_REVOKED, "x:y"]}).json()
    assert (only["events_delivered"], only["description"]) == ([SESSION_REVOKED], "our mail")
    assert outbox.emit(EVENT) == 0
    whole = call("PUT", stream_url, {"stream_id": name, "delivery": {"method": POLL}}).json()
    assert "description" not in whole
    assert outbox.emit(EVENT) == 1
    # a verification, and what was emitted, read with another library
    assert call("POST", meta["verification_endpoint"], {"stream_id": name, "state": "s1"}).status_code == 204
    again = call("POST", meta["verification_endpoint"], {"stream_id": name})
    assert (again.status_code, again.headers["retry-after"]) == (429, "10")
    keys = call("GET", meta["jwks_uri"], headers={}).json()
    reader = OtherReceiver(keys, ISSUER, MAIL)
    answer = call("POST", poll, {"maxEvents": 1, "returnImmediately": True}).json()
    assert answer["moreAvailable"] is True
    answer = call("POST", poll, {"returnImmediately": True}).json()
    events = {jti: reader.opened(text) for jti, text in answer["sets"].items()}
    assert [next(iter(one["events"])) for one in events.values()] == [ISSUER_KEY_COMPROMISE, VERIFICATION]
    assert all(one["jti"] == jti for jti, one in events.items())
    assert list(events.values())[1]["events"][VERIFICATION] == {"state": "s1"}
    assert list(events.values())[1]["sub_id"] == {"format": "opaque", "id": name}
    first, second = events
    error = {second: {"err": "invalid_request", "description": "what is that?"}}
    assert call("POST", poll, {"returnImmediately": True, "ack": [first], "setErrs": error}).json() == {
        "sets": {}
    }
    assert outbox.store.counts(name) == {"waiting": 0, "delivered": 1, "refused": 1}
    # paused: events wait; disabled: there are none
    status = meta["status_endpoint"]
    assert (
        call("POST", status, {"stream_id": name, "status": "paused", "reason": "at night"}).status_code == 200
    )
    assert call("GET", f"{status}?stream_id={name}").json() == {
        "stream_id": name,
        "status": "paused",
        "reason": "at night",
    }
    assert outbox.emit(session_revoked(ISSUER, "ada", at=AT)) == 1
    assert call("POST", poll, {"returnImmediately": True}).json() == {"sets": {}}
    call("POST", status, {"stream_id": name, "status": "enabled"})
    assert len(call("POST", poll, {"returnImmediately": True}).json()["sets"]) == 1
    call("POST", status, {"stream_id": name, "status": "disabled"})
    assert outbox.emit(session_revoked(ISSUER, "bob", at=AT)) == 0
    assert call("DELETE", f"{stream_url}?stream_id={name}").status_code == 204
    assert call("GET", f"{stream_url}?stream_id={name}").status_code == 404
    assert call("GET", stream_url).json() == []


def test_subjects_that_are_left_out(transmitter: tuple[str, Outbox]) -> None:
    base, outbox = transmitter
    name = call("POST", f"{base}/stream", {}).json()["stream_id"]
    ada = {"format": "iss_sub", "iss": ISSUER, "sub": "ada"}
    gone = call("POST", f"{base}/remove-subject", {"stream_id": name, "subject": ada})
    assert gone.status_code == 204
    assert outbox.emit(session_revoked(ISSUER, "ada", at=AT)) == 0
    assert outbox.emit(session_revoked(ISSUER, "bob", at=AT)) == 1
    back = call("POST", f"{base}/add-subject", {"stream_id": name, "subject": ada, "verified": True})
    assert back.status_code == 200
    assert outbox.emit(session_revoked(ISSUER, "ada", at=AT)) == 1


def test_a_poll_that_waits(transmitter: tuple[str, Outbox]) -> None:
    base, outbox = transmitter
    poll = call("POST", f"{base}/stream", {}).json()["delivery"]["endpoint_url"]
    import threading

    threading.Timer(0.3, lambda: outbox.emit(EVENT)).start()
    begun = time.monotonic()
    assert len(call("POST", poll, {"returnImmediately": False}).json()["sets"]) == 1
    assert 0.2 < time.monotonic() - begun < 5


#: Method, path, body or raw bytes, headers; the status that each is answered with.
BAD: list[tuple[str, str, str, Any, Any, int]] = [
    ("no token", "GET", "/stream", None, {}, 401),
    ("another token", "GET", "/stream", None, {"Authorization": "Bearer nobody"}, 401),
    ("another scheme", "GET", "/stream", None, {"Authorization": "Basic YTpi"}, 401),
    ("no such page", "GET", "/streams", None, HEADER, 404),
    ("another method", "PUT", "/verify", {}, HEADER, 405),
    ("a poll by GET", "GET", "/poll/x", None, HEADER, 405),
    ("no such stream", "POST", "/poll/x", {}, HEADER, 404),
    ("another's stream", "POST", "/poll/OWN", {}, {"Authorization": "Bearer chat"}, 404),
    ("another's, read", "GET", "/stream?stream_id=OWN", None, {"Authorization": "Bearer chat"}, 404),
    ("no JSON", "POST", "/stream", b"{", HEADER, 400),
    ("JSON twice", "POST", "/stream", b'{"a":1,"a":2}', HEADER, 400),
    ("a list", "POST", "/stream", [], HEADER, 400),
    ("another type", "POST", "/stream", None, HEADER, 415),
    ("an own id", "POST", "/stream", {"stream_id": "mine"}, HEADER, 400),
    ("a member that is none", "POST", "/stream", {"delivery_method": POLL}, HEADER, 400),
    ("another method of delivery", "POST", "/stream", {"delivery": {"method": "mail"}}, HEADER, 400),
    ("a push to nowhere", "POST", "/stream", {"delivery": {"method": PUSH}}, HEADER, 400),
    ("a push by ftp", "POST", "/stream", {"delivery": {"method": PUSH, "endpoint_url": "a:b"}}, HEADER, 400),
    ("kinds that are none", "POST", "/stream", {"events_requested": "all"}, HEADER, 400),
    ("a status that is none", "POST", "/status", {"stream_id": "OWN", "status": "off"}, HEADER, 400),
    ("a subject that is none", "POST", "/add-subject", {"stream_id": "OWN", "subject": 1}, HEADER, 400),
    ("acks that are none", "POST", "/poll/OWN", {"ack": "all"}, HEADER, 400),
    ("too many acks", "POST", "/poll/OWN", {"ack": ["x"] * 1001}, HEADER, 400),
    ("errors that are none", "POST", "/poll/OWN", {"setErrs": {"x": "y"}}, HEADER, 400),
    ("maxEvents", "POST", "/poll/OWN", {"maxEvents": "all"}, HEADER, 400),
    ("too long", "POST", "/stream", b"{" + b" " * 70_000, HEADER, 413),
]  # fmt: skip


def test_bad_requests(transmitter: tuple[str, Outbox]) -> None:
    base, _ = transmitter
    own = call("POST", f"{base}/stream", {}).json()["stream_id"]
    for name, method, path, body, headers, status in BAD:
        url = base + path.replace("OWN", own)
        if isinstance(body, bytes):
            answer = httpx.request(
                method, url, content=body, headers={**headers, "Content-Type": "application/json"}
            )
        else:
            text = json.loads(json.dumps(body).replace("OWN", own))
            answer = call(method, url, text, headers)
        assert answer.status_code == status, (name, answer.text)
        assert answer.json()["error"], name
    for _ in range(7):
        assert call("POST", f"{base}/stream", {}).status_code == 201
    assert call("POST", f"{base}/stream", {}).status_code == 409


# --- our receiver ---


def inbox(tmp_path: Path, outbox: Outbox, **more: Any) -> Inbox:
    keys = KeySet.from_jwks(jwks(outbox.signer), "jwks")
    return Inbox(tmp_path / "inbox.db", keys, issuer=ISSUER, audience=MAIL, **more)


def test_our_receiver(tmp_path: Path, outbox: Outbox) -> None:
    heard: list[Received] = []
    taken = inbox(tmp_path, outbox, heed=heard.append)
    app = PushReceiver(taken, token=hashlib.sha256(b"secret").digest())
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}/"
        stream = Stream("mail", "mail", MAIL, PUSH, url, "Bearer secret")
        outbox.store.put_stream(stream)
        outbox.emit(EVENT)
        [waiting] = outbox.store.waiting("mail", 9)
        assert push(outbox.store, stream, SENDER).delivered == 1
        assert [one.kind for one in heard] == [ISSUER_KEY_COMPROMISE]
        good = {"Content-Type": "application/secevent+jwt", "Authorization": "Bearer secret"}
        assert httpx.post(url, content=waiting.text, headers=good).status_code == 202
        assert len(heard) == 1  # the same one again is nothing new
        for headers, content, status in (
            ({**good, "Authorization": "Bearer x"}, waiting.text, 401),
            ({**good, "Content-Type": "text/plain"}, waiting.text, 415),
            (good, "no token", 400),
            (good, "x" * 70_000, 413),
        ):
            assert httpx.post(url, content=content, headers=headers).status_code == status
        assert httpx.get(url).status_code == 405
        refused = httpx.post(url, content=waiting.text[:-4] + "AAAA", headers=good)
        assert (refused.status_code, refused.json()["err"]) == (400, "invalid_key")
    assert taken.names() == [waiting.jti]
    taken.close()


def test_our_receiver_polls(tmp_path: Path, transmitter: tuple[str, Outbox]) -> None:
    base, outbox = transmitter
    place = call("POST", f"{base}/stream", {}).json()["delivery"]["endpoint_url"]
    name = place.rpartition("/")[2]
    outbox.emit_all(session_revoked(ISSUER, f"user-{number}", at=AT) for number in range(120))
    outbox.store.put(name, {"broken": "no token"}, AT)
    taken = inbox(tmp_path, outbox)
    assert taken.poll(place, SENDER, authorization=HEADER["Authorization"]) == 120
    assert taken.poll(place, SENDER, authorization=HEADER["Authorization"]) == 0
    assert outbox.store.counts(name) == {"waiting": 0, "delivered": 120, "refused": 1}
    with pytest.raises(SendError, match="401"):
        taken.poll(place, SENDER)
    taken.close()


def test_what_is_done_about_an_event_is_not_forgotten(tmp_path: Path, outbox: Outbox) -> None:
    """Killed between the row and what is to be done: it is done when somebody looks again."""
    heard: list[str] = []

    def broken(_: Received) -> None:
        raise ImmureError("not now")

    first = inbox(tmp_path, outbox, heed=broken)
    outbox.store.put_stream(Stream("mail", "mail", MAIL))
    outbox.emit(EVENT)
    [waiting] = outbox.store.waiting("mail", 9)
    with pytest.raises(ImmureError, match="not now"):
        first.take(waiting.text)
    first.close()
    second = inbox(tmp_path, outbox, heed=lambda event: heard.append(event.jti))
    assert second.catch_up() == 1
    assert second.catch_up() == 0
    assert heard == [waiting.jti]
    second.close()


def test_what_was_taken_outlives_the_key_that_signed_it(tmp_path: Path, outbox: Outbox) -> None:
    """Killed before it was seen to, and the transmitter has another key by the time that somebody looks."""
    first = inbox(tmp_path, outbox, heed=_never)
    outbox.store.put_stream(Stream("mail", "mail", MAIL))
    outbox.emit(session_revoked(ISSUER, "ada", at=AT, cause="incident"))
    [waiting] = outbox.store.waiting("mail", 9)
    with pytest.raises(ImmureError, match="not now"):
        first.take(waiting.text)
    first.close()
    heard: list[Received] = []
    others = KeySet((), "the transmitter's, without the key")
    second = Inbox(tmp_path / "inbox.db", others, issuer=ISSUER, audience=MAIL, heed=heard.append)
    assert second.catch_up() == 1
    assert [(one.jti, one.kind, one.subject["sub"], one.cause) for one in heard] == [
        (waiting.jti, SESSION_REVOKED, "ada", "incident")
    ]
    second.close()


def _never(_: Received) -> None:
    raise ImmureError("not now")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, b""), "HTTP status 401"),
        (Answer(200, b"{"), "the answer "),
        (Answer(200, b"{}"), "the answer has no sets"),
        (Answer(200, b'{"sets": {"a": 1}}'), "the answer has no sets"),
    ],
)
def test_a_secret_in_the_url_is_not_in_the_error(
    answer: Answer, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "send", lambda *_, **__: answer)
    with pytest.raises(SendError) as raised:
        poll("https://ssf.example/poll/1?key=hunter2", Sender())
    assert str(raised.value).startswith(f"https://ssf.example/poll/1: {words}")
    assert "hunter2" not in str(raised.value)


def test_refusals_are_read_page_by_page(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immure.response.events.store._PAGE", 2)
    outbox.store.put_stream(Stream("mail", "mail", MAIL))
    outbox.store.put("mail", {f"j{number}": f"text {number}" for number in range(6)}, AT)
    for number in (0, 1, 3, 4, 5):
        outbox.store.settle("mail", f"j{number}", "refused", f"words {number}")
    found = [(one.jti, one.text, one.detail) for one in outbox.store.refused("mail")]
    assert found == [(f"j{number}", f"text {number}", f"words {number}") for number in (0, 1, 3, 4, 5)]


def test_who_is_left_out_is_asked_once(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each stream and batch, however many events there are."""
    for name in ("mail", "calendar"):
        outbox.store.put_stream(Stream(name, name, MAIL))
    outbox.store.exclude("mail", issuer_subject(ISSUER, "user-7"))
    asked: list[str] = []
    unwanted = EventStore.unwanted

    def counted(self: EventStore, name: str) -> Any:
        asked.append(name)
        return unwanted(self, name)

    monkeypatch.setattr(EventStore, "unwanted", counted)
    events = [session_revoked(ISSUER, f"user-{number}", at=AT) for number in range(20)]
    assert outbox.emit_all(events) == 39
    assert asked == ["calendar", "mail"]


FILES: list[tuple[str, bytes | None]] = [
    ("another database", b"SQLite format 3\0" + bytes(200)),
    ("no file", None),
]


@pytest.mark.parametrize("data", [row[1] for row in FILES], ids=[row[0] for row in FILES])
def test_files_that_are_none(tmp_path: Path, outbox: Outbox, data: bytes | None) -> None:
    path = tmp_path / "other.db"
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)
    with pytest.raises(EventStoreError, match=r"other\.db"):
        EventStore(path)
    with pytest.raises(EventStoreError):
        Inbox(path, KeySet((), "none"), issuer=ISSUER, audience=MAIL)
