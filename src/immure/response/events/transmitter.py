"""The transmitter as an ASGI application: what receivers ask of their streams, and events that they poll.

    app = Transmitter(outbox, base="https://login.example/ssf", receivers={"mail": sha256_of_its_token})

Paths below ``base``: ``/stream``, ``/status``, ``/add-subject``, ``/remove-subject``, ``/verify``,
``/poll/STREAM``, ``/jwks``; and ``/.well-known/ssf-configuration`` before the path of the issuer (OpenID
Shared Signals Framework 1.0, sections 7 and 8). Receivers have bearer tokens, of which only digests are known
here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from immure.introspection.asgi import (
    JSON,
    NO_STORE,
    Receive,
    Scope,
    Send,
    answer,
    answer_error,
    header_values,
    read_body,
)
from immure.introspection.errors import MediaTypeError, MethodError, NoSuchPageError, RequestError
from immure.response.events.errors import (
    EventError,
    EventStoreError,
    NoSuchStreamError,
    StreamConflictError,
    StreamFormError,
    TooOftenError,
    UnknownReceiverError,
)
from immure.response.events.outbox import Outbox
from immure.response.events.polling import answer_poll
from immure.response.events.streams import METHODS, POLL, STATUSES, VERIFY_EVERY, Stream, configured
from immure.response.events.subjects import check_subject
from immure.tokens.errors import TokenError
from immure.tokens.strict import decode_object

MOST_BYTES: Final = 64 << 10
#: Streams that one receiver may have.
MOST_STREAMS: Final = 8
_Reply = tuple[int, Any]
_Page = Callable[[str, str, Mapping[str, Any]], _Reply]


class Transmitter:
    """See the module.

    Args:
        outbox: of the events.
        base: URL below which receivers ask.
        receivers: SHA-256 of each one's bearer token, by its name.
        audiences: ``aud`` of each one's streams; its name by default.
        loopback: receivers may have events pushed to this machine.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        base: str,
        receivers: Mapping[str, bytes],
        audiences: Mapping[str, str] | None = None,
        loopback: bool = False,
    ) -> None:
        self._outbox, self._store = outbox, outbox.store
        self._base, self._path = base.rstrip("/"), urlsplit(base).path.rstrip("/")
        # before the path of the issuer, and not of where receivers ask
        self._well_known = f"/.well-known/ssf-configuration{urlsplit(outbox.issuer).path.rstrip('/')}"
        self._receivers, self._audiences = dict(receivers), dict(audiences or {})
        self._loopback = loopback
        self._pages: dict[str, dict[str, _Page]] = {
            "/stream": {
                "GET": self._read, "POST": self._create, "PATCH": self._change, "PUT": self._change,
                "DELETE": self._delete,
            },
            "/status": {"GET": self._status, "POST": self._set_status},
            "/add-subject": {"POST": self._add},
            "/remove-subject": {"POST": self._remove},
            "/verify": {"POST": self._verify},
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            status, members = await self._answer(scope, receive)
        except RequestError as error:
            await answer_error(send, error)
        except EventStoreError:
            body = b'{"error":"temporarily_unavailable"}'
            await answer(send, 503, body, (JSON, NO_STORE, (b"retry-after", b"5")))
        else:
            body = b"" if members is None else json.dumps(members).encode("ascii")
            await answer(send, status, body, (JSON, NO_STORE) if members is not None else (NO_STORE,))

    async def _answer(self, scope: Scope, receive: Receive) -> _Reply:
        path, method = scope["path"], scope["method"]
        if path in (self._well_known, f"{self._path}/jwks"):
            if method not in ("GET", "HEAD"):
                raise MethodError("one can only read here")
            return 200, self._jwks() if path.endswith("/jwks") else self.metadata()
        if not path.startswith(f"{self._path}/"):
            raise NoSuchPageError("there is nothing here")
        name = path[len(self._path) :]
        receiver = self._receiver(scope)
        if name.startswith("/poll/"):
            if method != "POST":
                raise MethodError("events are polled by POST")
            stream = self._own(receiver, name.removeprefix("/poll/"))
            return await answer_poll(self._store, stream, await _members(scope, receive))
        pages = self._pages.get(name)
        if pages is None:
            raise NoSuchPageError("there is nothing here")
        if method not in pages:
            raise MethodError(f"one of {', '.join(pages)} is needed")
        asked = _query(scope) if method in ("GET", "DELETE") else await _members(scope, receive)
        return pages[method](receiver, method, asked)

    def _receiver(self, scope: Scope) -> str:
        values = header_values(scope, b"authorization")
        kind, _, token = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
        digest = hashlib.sha256(token.strip()).digest()
        found = [name for name, known in self._receivers.items() if compare_digest(digest, known)]
        if kind.lower() != b"bearer" or not found:
            raise UnknownReceiverError("no receiver has this token")
        return found[0]

    def _own(self, receiver: str, name: Any) -> Stream:
        found = self._store.stream(name) if isinstance(name, str) else None
        if found is None or found.receiver != receiver:
            raise NoSuchStreamError("there is no such stream")
        return found

    # --- what is public ---

    def metadata(self) -> dict[str, Any]:
        """Section 7 of the framework."""
        base = self._base
        return {
            "spec_version": "1_0",
            "issuer": self._outbox.issuer,
            "jwks_uri": f"{base}/jwks",
            "delivery_methods_supported": list(METHODS),
            "configuration_endpoint": f"{base}/stream",
            "status_endpoint": f"{base}/status",
            "add_subject_endpoint": f"{base}/add-subject",
            "remove_subject_endpoint": f"{base}/remove-subject",
            "verification_endpoint": f"{base}/verify",
            "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6750"}],
            "default_subjects": "ALL",
        }

    def _jwks(self) -> dict[str, Any]:
        signer = self._outbox.signer
        key = {**signer.public.to_jwk(), "kid": self._outbox.kid, "alg": signer.algorithm, "use": "sig"}
        return {"keys": [key]}

    # --- streams (section 8.1.1) ---

    def _plain(self, stream: Stream) -> dict[str, Any]:
        return stream.plain(self._outbox.issuer, f"{self._base}/poll/{stream.id}")

    def _read(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        if "stream_id" in asked:
            return 200, self._plain(self._own(receiver, asked["stream_id"]))
        return 200, [self._plain(one) for one in self._store.streams(receiver)]

    def _create(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        if "stream_id" in asked:
            raise StreamFormError("stream_id is given by the transmitter")
        audience = self._audiences.get(receiver, receiver)
        fresh = Stream(secrets.token_urlsafe(16), receiver, audience, method=POLL)
        made = configured(fresh, asked, whole=True, loopback=self._loopback)
        if not self._store.put_stream(made, most=MOST_STREAMS):
            raise StreamConflictError(f"a receiver has {MOST_STREAMS} streams at most")
        return 201, self._plain(made)

    def _change(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        stream = self._own(receiver, asked.get("stream_id"))
        made = configured(stream, asked, whole=method == "PUT", loopback=self._loopback)
        self._store.put_stream(made)
        return 200, self._plain(made)

    def _delete(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        self._store.delete_stream(self._own(receiver, asked.get("stream_id")).id)
        return 204, None

    def _status(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        return 200, _standing(self._own(receiver, asked.get("stream_id")))

    def _set_status(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        stream = self._own(receiver, asked.get("stream_id"))
        status, reason = asked.get("status"), asked.get("reason", "")
        if status not in STATUSES or not isinstance(reason, str) or len(reason) > 500:
            raise StreamFormError(f"status is one of {', '.join(STATUSES)}, and reason a text")
        made = replace(stream, status=status, reason=reason)
        self._store.put_stream(made)
        return 200, _standing(made)

    # --- subjects and verification (sections 8.1.3 and 8.1.4) ---

    def _subject(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return check_subject(asked.get("subject"))
        except EventError as error:
            raise StreamFormError(error.reason) from None

    def _add(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        self._store.include(self._own(receiver, asked.get("stream_id")).id, self._subject(asked))
        return 200, {}

    def _remove(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        stream, subject = self._own(receiver, asked.get("stream_id")), self._subject(asked)
        if not self._store.exclude(stream.id, subject):
            raise StreamConflictError("too many subjects are left out of this stream")
        return 204, None

    def _verify(self, receiver: str, method: str, asked: Mapping[str, Any]) -> _Reply:
        stream, state = self._own(receiver, asked.get("stream_id")), asked.get("state")
        if state is not None and (not isinstance(state, str) or len(state) > 1000):
            raise StreamFormError("state is not a text")
        if not self._store.may_verify(stream.id, self._outbox.now(), VERIFY_EVERY):
            raise TooOftenError(f"once in {VERIFY_EVERY} s")
        self._outbox.verify(stream, state, secrets.token_hex(8))
        return 204, None


def _standing(stream: Stream) -> dict[str, str]:
    reason = {"reason": stream.reason} if stream.reason else {}
    return {"stream_id": stream.id, "status": stream.status, **reason}


def _query(scope: Scope) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            scope.get("query_string", b"").decode("ascii"), strict_parsing=True, max_num_fields=8
        )
    except ValueError:
        pairs = []
    return dict(pairs)


async def _members(scope: Scope, receive: Receive) -> dict[str, Any]:
    """The JSON object of a request."""
    kind = header_values(scope, b"content-type")
    if len(kind) != 1 or kind[0].partition(b";")[0].strip().lower() != b"application/json":
        raise MediaTypeError("the body must be application/json")
    try:
        return decode_object(await read_body(scope, receive, MOST_BYTES))
    except TokenError as error:
        raise StreamFormError(f"the body {error.reason}") from None
