"""Works out who is due a letter, and writes the letters.

- A tenant that is affected, or of which that is unknown, is told at each of its places.
- Whoever has, or may have, a statement that says something else gets a correction, also if the place is not
  in the settings any more, and also if the tenant turned out not to be affected.
- Whoever has what is so gets nothing; whoever may have it gets the same message once more, with its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from immure.auditlog.canonical import canonical
from immure.response.incident import Incident
from immure.response.notification.errors import LettersError
from immure.response.notification.history import History, State, Told
from immure.response.notification.letter_set import Delivery, LetterSet, Untold, load_set, statement_in
from immure.response.notification.new_folder import NewFolder
from immure.response.notification.radius_in_force import InForce
from immure.response.notification.rendering import Templates
from immure.response.notification.settings import Channel, Contact, Settings
from immure.response.notification.statement import changes, core_digest, moment, statement_of
from immure.response.timeline import JsonValue

#: The longest list that goes by mail: as base64 it is a third longer, and many servers end at 10 MB.
MOST_BY_MAIL: Final = 7 << 20
_NOBODY: Final = Contact()


class Plan:
    """Works out who is due, and writes the letters into a folder."""

    def __init__(
        self,
        incident: Incident,
        settings: Settings,
        templates: Templates,
        force: InForce,
        history: History,
        folder: NewFolder,
    ) -> None:
        self._incident, self._settings, self._templates = incident, settings, templates
        self._force, self._history, self._folder = force, history, folder
        self._told = history.places()
        self._sets: dict[int, LetterSet] = {}
        self._stems: dict[str, str] = {}
        self._untold: list[Untold] = []

    def made(self, number: int) -> LetterSet:
        """The set of what is due, its letters written."""
        deliveries = [one for tenant in self._tenants() for one in self._for_tenant(tenant)]
        sender = self._settings.sender
        return LetterSet(
            number, self._incident.name, self._force.radius.version, sender.name, sender.address,
            tuple(deliveries), tuple(self._untold), self._folder.target,
        )  # fmt: skip

    def _tenants(self) -> list[str]:
        known = {one.tenant for one in self._force.radius.tenants if one.standing != "not seen"}
        return sorted(known | {tenant for tenant, _, _ in self._told})

    def _for_tenant(self, tenant: str) -> Iterator[Delivery]:
        statement = statement_of(self._force.radius, tenant, incident=self._incident.name)
        contact = self._settings.tenants.get(tenant, _NOBODY)
        told = {place: one for place, one in self._told.items() if place[0] == tenant}
        places = dict.fromkeys(told)
        if statement["standing"] != "not seen":
            wanted = [(tenant, channel, to) for channel, to in contact.places()]
            places = dict.fromkeys([*wanted, *places])
            if not places:
                self._untold.append(Untold(tenant, "no address is known"))
        digest = core_digest(statement)
        for place in places:
            before = told.get(place)
            if before is None or before.statement != digest:
                found = self._letter(place, statement, digest, contact, before)
            elif before.state is State.SENT:
                continue
            else:
                found = self._once_more(before)
            if found is not None:
                yield found

    def _letter(
        self,
        place: tuple[str, Channel, str],
        statement: Mapping[str, Any],
        digest: str,
        contact: Contact,
        before: Told | None,
    ) -> Delivery | None:
        tenant, channel, _ = place
        radius, sender = self._force.radius, self._settings.sender
        whole = {
            **statement,
            "edition": 1 if before is None else before.edition + 1,
            "as_of": moment(self._force.entry.at),
            "radius": radius.version,
            "looked_at": {"begin": moment(radius.begin), "end": moment(radius.end)},
            "corrects": None if before is None else self._corrects(before, statement),
        }
        listed = json.dumps(whole, indent=1, ensure_ascii=False).encode() + b"\n"
        if channel == "mail" and len(listed) > MOST_BY_MAIL:
            reason = f"its list has {len(listed):,} bytes, too many for mail: give it a webhook"
            self._untold.append(Untold(tenant, reason))
            return None
        language = contact.language or sender.language
        house = {"name": sender.name, "address": sender.address, "contact": sender.contact}
        values = {**whole, "tenant_name": contact.name or tenant, "sender": house, "language": language}
        letter = self._templates.fill_in(language, values)
        files = {"json": listed, "txt": letter.plain.encode(), "html": letter.html.encode()}
        answers = "" if before is None else before.message_id
        return self._delivery(place, language, whole["edition"], digest, letter.subject, files, answers)

    def _corrects(self, before: Told, statement: Mapping[str, Any]) -> dict[str, Any]:
        letters = self._set(before.number)
        delivery = self._sent(letters, before)
        was = statement_in(letters.read(delivery, "json"), f"{letters.folder}/{delivery.stem}.json")
        try:
            differences = changes(was, statement)
        except (KeyError, TypeError, AttributeError) as error:
            raise LettersError("is no statement", path=f"{letters.folder}/{delivery.stem}.json") from error
        return {
            "edition": before.edition,
            "message_id": before.message_id,
            "sent": moment(before.at),
            "certain": before.state is State.SENT,
            "statement": before.statement,
            "changes": differences,
        }

    def _once_more(self, before: Told) -> Delivery:
        """The very message of which nobody knows whether it arrived."""
        letters = self._set(before.number)
        old = self._sent(letters, before)
        files = {suffix: letters.read(old, suffix) for suffix in old.sha256}
        return self._delivery(
            old.place, old.language, old.edition, old.statement, old.subject, files, old.answers
        )

    def _set(self, number: int) -> LetterSet:
        if number not in self._sets:
            if number not in self._history.sets:
                raise LettersError(f"the record names letters {number}, which nobody has written")
            self._sets[number] = load_set(self._incident, self._history.sets[number])
        return self._sets[number]

    def _sent(self, letters: LetterSet, told: Told) -> Delivery:
        found = next((one for one in letters.deliveries if one.id == told.id), None)
        if found is None:
            raise LettersError(f"letters {letters.number} have no delivery {told.id}, which was sent")
        return found

    def _delivery(
        self,
        place: tuple[str, Channel, str],
        language: str,
        edition: int,
        statement: str,
        subject: str,
        files: Mapping[str, bytes],
        answers: str,
    ) -> Delivery:
        tenant, channel, to = place
        digests = {suffix: hashlib.sha256(data).hexdigest() for suffix, data in files.items()}
        letter = hashlib.sha256(canonical({"subject": subject, "files": digests})).hexdigest()
        whole: dict[str, JsonValue] = {"tenant": tenant, "channel": channel, "to": to, "letter": letter}
        name = hashlib.sha256(canonical(whole)).hexdigest()[:32]
        if letter not in self._stems:
            self._stems[letter] = f"{len(self._stems) + 1:05d}-{_slug(tenant)}"
            for suffix, data in files.items():
                self._folder.write(f"{self._stems[letter]}.{suffix}", data)
        domain = self._settings.sender.domain
        return Delivery(
            name, tenant, channel, to, language, edition, statement, subject, self._stems[letter], digests,
            f"<{name}@{domain}>" if channel == "mail" else name, answers,
        )  # fmt: skip


def _slug(tenant: str) -> str:
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in tenant[:40])
    return kept.strip("-") or "tenant"
