"""Pages about people: who is in the room, one of them, and workstations."""

from __future__ import annotations

from collections.abc import Iterator

from immure.access.door import Door
from immure.access.protection import TPM
from immure.access.records import HardwareKey, Person, Workstation
from immure.access.texts import spelled
from immure.access.web.deeds import DEEDS
from immure.access.web.html import card, link, links, word_list
from immure.access.web.pages import page

#: What can be done about a person, by their state.
_DEEDS = {
    "active": ("screening", "key", "workstation", "suspend", "leave"),
    "suspended": ("reinstate", "leave"),
}


def people_page(door: Door, who: str, token: str) -> bytes:
    """Everybody, and whether they may act now."""
    people = door.records(Person)
    cards = (
        card(one.id, _state(door, one), f"<p>{link('/person', 'More', {'account': one.id}, one.id)}</p>")
        for one in people
    )
    body = f"""<p>{link("/do/enrol", DEEDS["enrol"].title)}</p>
<h2>Who is known to this room</h2>
{chr(10).join(cards)}"""
    return page("People", body, who=who, token=token)


def person_page(door: Door, account: str, who: str, token: str) -> bytes:
    """One person: screening, keys, workstations, and what can be done about them.

    Raises:
        DeniedError: there is no such account.
    """
    person = door.record(Person, account)
    deeds = (
        link(f"/do/{name}", DEEDS[name].title, {"account": account}) for name in _DEEDS.get(person.state, ())
    )
    keys = "".join(_key_card(key) for key in door.records(HardwareKey, about=account))
    machines = "".join(_workstation_card(door, one) for one in door.records(Workstation, about=account))
    body = f"""{word_list([*_state(door, person), *_screening(person)])}
{links(f"About {account}", deeds)}
<h2>Hardware keys</h2>
{keys or "<p>None.</p>"}
<h2>Workstations</h2>
{machines or "<p>None.</p>"}"""
    return page(account, body, who=who, token=token)


def workstations_page(door: Door, who: str, token: str, here: str) -> bytes:
    """All workstations; ``here`` is the SHA-256 of the certificate that this connection shows."""
    machines = "".join(_workstation_card(door, one, here=here) for one in door.records(Workstation))
    shows = f"shows the certificate {here}" if here else "shows no certificate of a workstation"
    body = f"""<p class="words">This connection {shows}.</p>
<p>{link("/do/workstation", DEEDS["workstation"].title, {"account": who})}</p>
<h2>Known workstations</h2>
{machines or "<p>None.</p>"}"""
    return page("Workstations", body, who=who, token=token)


def _state(door: Door, person: Person) -> Iterator[str]:
    yield f"{person.person}, {person.state}" + (f", roles: {', '.join(person.roles)}" if person.roles else "")
    yield f"screened to {person.level}, until {spelled(person.expires)}"
    fault = door.person_fault(person.id)
    yield "now: " + ("may act" if fault is None else fault[1])


def _screening(person: Person) -> Iterator[str]:
    yield f"attested by {person.attester}, screened on {spelled(person.screened)}"
    yield f"reference: {person.reference}"


def _key_card(key: HardwareKey) -> str:
    words = [f"{key.state} since {spelled(key.since)}", f"fingerprint: {key.fingerprint}"]
    words += [f"credential: {key.id}", f"signatures: {key.counter}"]
    lost = link("/do/lost-key", DEEDS["lost-key"].title, {"credential": key.id}, key.id)
    return card(key.model, words, f"<p>{lost}</p>" if key.state in ("active", "suspect") else "")


def _workstation_card(door: Door, one: Workstation, here: str = "") -> str:
    where = "its key is in a TPM" if door.protection_of(one.id) == TPM else "its key is in software"
    words = [f"sha256: {one.id}", f"{one.state}, certificate until {spelled(one.ends)}", where]
    if one.id == here:
        words.append("this connection is from it")
    retire = link("/do/retire", DEEDS["retire"].title, {"workstation": one.id}, f"of {one.account}")
    return card(f"of {one.account}", words, f"<p>{retire}</p>" if one.state == "active" else "")
