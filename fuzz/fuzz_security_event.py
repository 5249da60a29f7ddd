"""Feeds broken security events, subjects, streams and polls to immure.response.events."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from driver import run

from immure.errors import ImmureError
from immure.introspection.errors import RequestError
from immure.response.events.errors import EventError, EventFormError
from immure.response.events.kinds import ISSUER_KEY_COMPROMISE, SESSION_REVOKED
from immure.response.events.polling import answer_poll
from immure.response.events.set_token import parse_event, verify_event
from immure.response.events.store import EventStore
from immure.response.events.streams import METHODS, PUSH, Stream, configured
from immure.response.events.subjects import check_subject, matches
from immure.tokens.errors import TokenError
from immure.tokens.keyset import KeySet
from immure.tokens.strict import decode_object

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tokens.minting import jwk, sealed

SECONDS = 1.0  # of computing for one input
KEYS = KeySet.from_jwks({"keys": [jwk("Ed25519")]}, "fuzz")
ISSUER, AUDIENCE = "https://login.example/", "https://mail.example"
STREAM = Stream("s", "mail", AUDIENCE)
STORE = EventStore(":memory:")
STORE.put_stream(STREAM)
CLAIMS = {
    "iss": ISSUER, "aud": AUDIENCE, "jti": "1", "iat": 1790000000, "toe": 1790000000, "txn": "t",
    "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "ada"},
    "events": {SESSION_REVOKED: {"event_timestamp": 1790000000}},
}  # fmt: skip


def check_event(data: bytes) -> None:
    """An error that is ours, or an event with all that it must have."""
    begun = time.thread_time()
    try:
        for act in (
            lambda: verify_event(data, KEYS, issuer=ISSUER, audience=AUDIENCE, now=1790000000),
            lambda: parse_event(data)[0],
        ):
            try:
                event = act()
            except EventError:
                continue
            assert event.jti
            assert event.kind
            assert event.subject["format"]
            assert 0 <= event.issued < 1 << 53
        _members(data)
    finally:
        assert time.thread_time() - begun < SECONDS


def _members(data: bytes) -> None:
    try:
        members = decode_object(data)
    except TokenError:
        return
    try:
        subject = check_subject(members)
        assert matches(subject, subject)
    except EventFormError:
        _nothing()
    try:
        made = configured(STREAM, members, whole=True)
        assert made.method in METHODS
        assert (made.method == PUSH) == bool(made.endpoint)
        made.plain(ISSUER, "https://login.example/poll")
    except RequestError:
        _nothing()
    try:
        status, answer = asyncio.run(answer_poll(STORE, STREAM, members, seconds=0.0))
        assert status == 200
        assert set(answer) <= {"sets", "moreAvailable"}
    except (RequestError, ImmureError):
        _nothing()


def _nothing() -> None:
    """An error that is ours is an answer."""


if __name__ == "__main__":
    payload = json.dumps(CLAIMS).encode()
    token = sealed(b'{"alg":"EdDSA","kid":"Ed25519","typ":"secevent+jwt"}', payload).encode()
    run(
        check_event,
        [
            payload,
            token,
            json.dumps(CLAIMS | {"events": {ISSUER_KEY_COMPROMISE: {"kid": "k"}}}).encode(),
            b'{"format":"complex","user":{"format":"email","email":"a@b"},"tenant":{"format":"opaque","id":"t"}}',
            b'{"format":"opaque","id":"stream"}',
            b'{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://a.example/"},"events_requested":[]}',
            b'{"maxEvents":3,"returnImmediately":true,"ack":["1"],"setErrs":{"2":{"err":"x","description":"y"}}}',
        ],
    )
