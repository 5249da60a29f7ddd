"""Completing a ceremony: the response of a hardware key, and what comes of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from immure.access import ceremonies
from immure.access.alarms import Sounder, alarm_of, sound, webhook
from immure.access.ceremonies import Ceremony
from immure.access.errors import CeremonyError, DeniedError
from immure.access.outcome import subject_of
from immure.access.room import Event, Room
from immure.access.step import PREFIX
from immure.access.store import Store
from immure.access.texts import encode, moment
from immure.access.webauthn.client_data import parse_client_data
from immure.access.webauthn.response import Assertion, Registration, parse_response
from immure.auditlog import JSON, Entry
from immure.errors import InputError
from immure.secret import Secret


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a ceremony.

    Attributes:
        act: what was done.
        id: of the request, grant, session, person or key that it is about.
        state: of that now; of a request ``done`` means that the last approval is there.
        entry: its index in the log.
        secret: what a session that was just opened is known by; nobody gets it a second time.
        silent: alarms that could not be sounded, and why.
    """

    act: str
    id: str
    state: str
    entry: int
    secret: Secret[bytes] | None = None
    silent: tuple[str, ...] = ()


class Completing:
    """See :class:`immure.access.Door`."""

    _store: Store
    _sounders: list[tuple[str, Sounder]]

    def ceremony(self, response: Mapping[str, Any] | bytes | str) -> Ceremony:
        """The ceremony that a response belongs to.

        Raises:
            CeremonyError: there is none.
        """
        with self._store.reading() as at:
            return ceremonies.find(self._store.room, _challenge_of(_parse(response)), at)

    def complete(self, response: Mapping[str, Any] | bytes | str, *, act: str | None = None) -> Done:
        """Do what a ceremony was begun for, with the response of the hardware key (JSON, as a browser's
        ``credential.toJSON()`` gives it). When this returns, it is logged.

        Args:
            response: of ``navigator.credentials.get`` or ``create``.
            act: what the ceremony should be for; another one is refused.

        Raises:
            DeniedError: it does not hold, or may not be; ``rule`` says which rule says no. That is logged.
            AccessError, LogError: it cannot be written.
        """
        parsed = _parse(response)
        ceremony = self.ceremony(response)
        if act is not None and ceremony.act != act:
            raise CeremonyError(f"the response is for {ceremony.act}, and not for {act}", rule="act")
        secret = secrets.token_bytes(32) if ceremony.act in ("enter", "sign-in") else None
        body = _body(ceremony, parsed, secret)
        try:
            entry, event = self._store.write(
                ceremony.act, body, lambda: ceremonies.forget(self._store.room, ceremony.challenge)
            )
        except DeniedError as error:
            self._refused(ceremony, parsed, error)
            raise
        done = _done(self._store.room, event, entry, secret)
        if event.act == "break-glass":
            return replace(done, silent=self._sound(entry))
        return done

    def _refused(self, ceremony: Ceremony, response: Registration | Assertion, error: DeniedError) -> None:
        """Log a response that did not hold; a counter that went back also stops the key."""
        with self._store.changing():
            ceremonies.failed(self._store.room, ceremony.challenge)
        body: dict[str, JSON] = {
            "act": "refused", "of": ceremony.act, "account": str(ceremony.document.get("account")),
            "rule": error.rule, "reason": error.reason[:500],
        }  # fmt: skip
        self._store.write("refused", {"document": body})
        if error.rule == "counter":
            suspect: dict[str, JSON] = {
                "act": "suspect",
                "credential": encode(response.id),
                "reason": error.reason,
            }
            self._sound(self._store.write("suspect", {"document": suspect})[0])

    def sound_what_nobody_heard(self) -> None:
        """Sound the alarms for entries that none has sounded for: whoever wrote them was interrupted, or
        killed, before it could. Another process may just be about to; twice is better than never."""
        for entry in self._store.unheard():
            self._sound(entry)

    def _sound(self, entry: Entry) -> tuple[str, ...]:
        """Sound the alarm for an entry, and log who has heard it; what was not heard, and why."""
        document: Any = entry.body["document"]
        act, at = entry.kind.removeprefix(PREFIX), moment(str(entry.body["at"]))
        with self._store.looking():
            alarm = alarm_of(self._store.room, act, document, at, entry.index)
            urls = self._store.room.policy.glass.alarms
        outcomes = sound(alarm, [*self._sounders, *((url, webhook(url)) for url in urls)])
        failed = {name: why for name, why in outcomes if why}
        body: dict[str, JSON] = {
            "act": "alarm", "of": alarm.entry, "heard": [name for name, why in outcomes if not why],
            "failed": {name[:200]: _plain(why) for name, why in failed.items()},
        }  # fmt: skip
        self._store.write("alarm", {"document": body})
        return tuple(f"{name}: {why}" for name, why in failed.items())


def _parse(response: Mapping[str, Any] | bytes | str) -> Registration | Assertion:
    try:
        return parse_response(response)
    except InputError as error:
        raise CeremonyError(error.reason, rule="response") from error


def _challenge_of(response: Registration | Assertion) -> bytes:
    try:
        return parse_client_data(response.client_data).challenge
    except InputError as error:
        raise CeremonyError(error.reason, rule="client-data") from error


def _body(ceremony: Ceremony, response: Registration | Assertion, secret: bytes | None) -> dict[str, JSON]:
    registering = ceremony.act == "register"
    if registering != isinstance(response, Registration):
        wanted = "a registration" if registering else "an assertion"
        raise CeremonyError(f"the ceremony waits for {wanted}", rule="response")
    name = "registration" if registering else "assertion"
    body: dict[str, JSON] = {"document": ceremony.document, name: response.to_json()}
    if secret is not None:
        body["extra"] = {"secret": hashlib.sha256(secret).hexdigest()}
    return body


def _done(room: Room, event: Event, entry: Entry, secret: bytes | None) -> Done:
    identity, state = subject_of(room, event)
    return Done(event.act, identity, state, entry.index, Secret(secret) if secret is not None else None)


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
