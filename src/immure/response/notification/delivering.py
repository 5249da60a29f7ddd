"""Carries the letters of one run: a few at a time, each attempt written down before and after."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from immure.clock import Clock
from immure.response.errors import FormError
from immure.response.incident import Incident
from immure.response.notification.courier import Courier, Outcome
from immure.response.notification.history import DELIVERY, KIND
from immure.response.notification.letter_set import SUFFIXES, Delivery, LetterSet, folder_name
from immure.response.notification.mime import message
from immure.response.notification.settings import Settings
from immure.response.notification.smtp import SmtpCourier
from immure.response.notification.status import Standing
from immure.response.notification.webhook import WebhookCourier, body_of
from immure.response.timeline import JsonValue

Sleep = Callable[[float], Awaitable[None]]
Progress = Callable[[int, int], None]


class Run:
    """One run; its arguments are those of :func:`~.sending.send_letters`."""

    def __init__(
        self,
        incident: Incident,
        settings: Settings,
        letters: LetterSet,
        actor: str,
        clock: Clock,
        sleep: Sleep,
        told: Progress | None,
    ) -> None:
        self._incident, self._settings, self._letters = incident, settings, letters
        self._actor, self._clock, self._sleep, self._told = actor, clock, sleep, told
        self._done = 0
        self._mail: SmtpCourier | None = None
        self._couriers: dict[str, Courier | None] = {}

    def prepare(self, due: Sequence[Standing]) -> None:
        """See before anything is sent that everything is there to send it with."""
        if any(one.delivery.channel == "mail" for one in due):
            if self._settings.smtp is None:
                raise FormError("letters are to be mailed, and the settings have no [smtp]")
            self._mail = SmtpCourier(self._settings.smtp, self._letters.sender_address)
        self._couriers = {one.delivery.id: self._courier(one.delivery) for one in due}

    async def all(self, due: Sequence[Standing]) -> None:
        """Send to everybody who is due."""
        limit = asyncio.Semaphore(self._settings.pace.at_once)
        tasks = [asyncio.ensure_future(self._one(one, limit, len(due))) for one in due]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _one(self, standing: Standing, limit: asyncio.Semaphore, count: int) -> None:
        delivery, pace = standing.delivery, self._settings.pace
        date = self._seconds() if standing.told is None or standing.told.date is None else standing.told.date
        courier = self._couriers[delivery.id]
        if courier is None:
            self._note(delivery, "failed", date, detail="the settings do not have this webhook any more")
            return
        for attempt in range(1, pace.attempts + 1):
            last = attempt == pace.attempts
            async with limit:
                outcome = await self._attempt(courier, delivery, date, last=last)
            if outcome.state == "sent" or outcome.permanent or last:
                break
            await self._sleep(pace.wait(attempt) * random.uniform(0.75, 1.0))  # noqa: S311 - not all at once
        self._done += 1
        if self._told is not None:
            self._told(self._done, count)

    async def _attempt(self, courier: Courier, delivery: Delivery, date: int, *, last: bool) -> Outcome:
        """Try once. An attempt that ended before anything could have left is written down if it is the last:
        of a server that is down for an hour the timeline need not have every knock."""
        begun = False

        def about_to() -> None:
            nonlocal begun
            self._note(delivery, "begun", date)
            begun = True

        outcome = await courier.carry(delivery.to, self._body(delivery, date), about_to)
        if begun or last or outcome.permanent:
            self._note(delivery, outcome.state, date, detail=outcome.detail, permanent=outcome.permanent)
        return outcome

    def _courier(self, delivery: Delivery) -> Courier | None:
        if delivery.channel == "mail":
            return self._mail
        contact = self._settings.tenants.get(delivery.tenant)
        if contact is None or contact.webhook != delivery.to or contact.webhook_secret is None:
            return None
        return WebhookCourier(self._settings.hooks, delivery.id, contact.webhook_secret, self._seconds)

    def _body(self, delivery: Delivery, date: int) -> bytes:
        if delivery.channel == "mail":
            return message(self._letters, delivery, date)
        files = {suffix: self._letters.read(delivery, suffix) for suffix in SUFFIXES}
        return body_of(
            files["json"], name=delivery.id, language=delivery.language, subject=delivery.subject,
            plain=files["txt"], html=files["html"],
        )  # fmt: skip

    def _note(
        self, delivery: Delivery, state: str, date: int, *, detail: str = "", permanent: bool = False
    ) -> None:
        body: dict[str, JsonValue] = {
            "notice": DELIVERY,
            "state": state,
            "delivery": delivery.id,
            "number": self._letters.number,
            "stem": delivery.stem,
            "tenant": delivery.tenant,
            "channel": delivery.channel,
            "to": delivery.to,
            "edition": delivery.edition,
            "statement": delivery.statement,
            "message_id": delivery.message_id,
            "date": date,
            "detail": detail,
            "permanent": permanent,
            "says": f"letter {self._letters.number} to {delivery.tenant}: {state}",
        }
        if state == "begun":
            folder = f"work/{folder_name(self._letters.number)}"
            body["files"] = [
                {"file": f"{folder}/{delivery.stem}.{suffix}", "sha256": digest}
                for suffix, digest in sorted(delivery.sha256.items())
            ]
        self._incident.add(KIND, body, actor=self._actor)

    def _seconds(self) -> int:
        return int(self._clock().timestamp())
