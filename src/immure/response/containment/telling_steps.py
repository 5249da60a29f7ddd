"""What is told to others: events to receivers, and caches that they forget."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from immure.custody import open_signer
from immure.errors import ImmureError
from immure.response.containment.action import Action
from immure.response.containment.errors import ContainmentError
from immure.response.containment.list_steps import Deny
from immure.response.containment.settings import EventSettings
from immure.response.containment.subjects import subjects_of
from immure.response.events.http import Sender
from immure.response.events.kinds import key_compromise, session_revoked
from immure.response.events.outbox import Outbox
from immure.response.events.pushing import push
from immure.response.events.set_token import parse_kept
from immure.response.events.store import EventStore
from immure.response.events.streams import PUSH
from immure.response.timeline import JsonValue

_FETCHED: Final = (200, 202, 204)
#: Refusals that are told one by one.
_SHOWN: Final = 3


class Events(Action):
    """Security events: the key is compromised, and sessions of everybody whom it may concern are over."""

    name = "events"
    words = "events are signed, and wait for their receivers"

    def targets(self) -> Sequence[str]:
        """The transmitter."""
        events = self.scene.settings.events
        return [] if events is None else [events.issuer]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        count = len(subjects_of(self.scene)[0])
        with open_events(self._settings) as store:
            streams = sum(stream.status != "disabled" for stream in store.streams())
        return f"sign issuer-key-compromise, and session-revoked of {count} subjects, for {streams} streams"

    @property
    def _settings(self) -> EventSettings:
        settings = self.scene.settings.events
        if settings is None:
            raise ContainmentError("the settings have no events")
        return settings

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`. Names of tokens follow from what they say, so that none is made twice."""
        scene, settings = self.scene, self._settings
        since = scene.since()
        deny_list = scene.settings.deny_list
        listed = None
        if deny_list is not None:
            with suppress(
                ImmureError
            ):  # the step before has said so; receivers are to hear of the key all the same
                listed = deny_list.name, Deny(scene).current()[1].sequence
        key = key_compromise(
            scene.issuer,
            scene.kid,
            scene.thumbprint,
            since=since,
            reason=scene.reason,
            not_before=since if deny_list is not None and deny_list.epoch else None,
            deny_list=listed,
            cause=scene.incident,
        )
        with open_events(settings) as store, open_signer(settings.key) as signer:
            outbox = Outbox(store, issuer=settings.issuer, signer=signer, kid=settings.kid, time=scene.time)
            made = outbox.emit(key)
            subjects, left_out = subjects_of(scene)  # only now: the key is said to be burnt in any case
            made += outbox.emit_all(
                session_revoked(scene.issuer, one, at=since, reason=scene.reason, cause=scene.incident)
                for one in subjects
            )
        if left_out:
            words = f"{left_out} subjects are too many: no event says that their sessions are over"
            raise ContainmentError(words)
        return {"subjects": len(subjects), "tokens": made}


def open_events(settings: EventSettings) -> EventStore:
    """The store of events, with the streams that the settings declare; raises EventStoreError."""
    store = EventStore(settings.store)
    try:
        for declared in settings.streams:
            stream = declared
            known = store.stream(stream.id)
            if known is not None:  # paused or disabled it stays so, whatever the settings say
                stream = replace(stream, status=known.status, reason=known.reason)
            if known != stream:
                store.put_stream(stream)
    except ImmureError:
        store.close()
        raise
    return store


class Deliver(Action):
    """Events reach their receivers; of streams that are polled it is said what waits."""

    name = "deliver"
    words = "events are with their receivers"
    needs = (Events.name,)

    def targets(self) -> Sequence[str]:
        """Streams that are pushed; to one that is disabled nothing is sent."""
        settings = self.scene.settings.events
        if settings is None:
            return []
        with open_events(settings) as store:
            streams = [stream for stream in store.streams() if stream.status != "disabled"]
        return [stream.id for stream in streams if stream.method == PUSH]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        return "push what waits (RFC 8935)"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        settings = self.scene.settings.events
        if settings is None:
            raise ContainmentError("the settings have no events")
        with open_events(settings) as store:
            stream = store.stream(target)
            if stream is None:
                raise ContainmentError("there is no such stream any more")
            sender = Sender.to(
                stream.endpoint,
                private_hosts=settings.private_hosts,
                ca_file=settings.ca_file,
                seconds=settings.seconds,
            )
            made = push(store, stream, sender)
            if made.problem:
                raise ContainmentError(f"{made.waiting} events wait: {made.problem}")
            count, words = self._refused(store, target)
            delivered = store.counts(target)["delivered"]
        if count:
            raise ContainmentError(f"the receiver refuses {count} events for good ({words[:300]})")
        return {"delivered": delivered}

    def _refused(self, store: EventStore, stream: str) -> tuple[int, str]:
        """How many events of this incident a receiver has refused, and its words on the first ones; what it
        refused in another is not ours to mend."""
        count, words = 0, []
        for one in store.refused(stream):
            if parse_kept(one.text).cause == self.scene.incident:
                count += 1
                if count <= _SHOWN:
                    words.append(f"{one.jti}: {one.detail}")
        return count, "; ".join(words)


class Caches(Action):
    """What keeps key sets or verdicts forgets them."""

    name = "caches"
    words = "caches are emptied"

    def targets(self) -> Sequence[str]:
        """Caches."""
        return list(self.scene.settings.caches)

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        cache = self.scene.settings.caches[target]
        return f"{cache.method} {cache.url}" if cache.url else f"run {json.dumps(list(cache.command))}"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        cache = self.scene.settings.caches[target]
        if cache.url:
            sender = Sender.to(
                cache.url, private_hosts=cache.private_hosts, ca_file=cache.ca_file, seconds=cache.seconds
            )
            status = sender.send(cache.url, b"", method=cache.method).status
            if status not in _FETCHED:
                raise ContainmentError(f"HTTP status {status}")
            return {"status": status}
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own words, and no shell
                cache.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # whatever it says, and however much
                stderr=subprocess.DEVNULL,
                timeout=cache.seconds,
                check=False,
            )
        except (OSError, ValueError) as error:
            raise ContainmentError(f"{cache.command[0]} cannot be run: {error}") from error
        except subprocess.TimeoutExpired:
            raise ContainmentError(f"{cache.command[0]} did not end within {cache.seconds:g} s") from None
        if done.returncode != 0:
            raise ContainmentError(f"{cache.command[0]} ended with {done.returncode}")
        return {"status": 0}
