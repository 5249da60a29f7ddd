"""Pages of a room that is not open yet: its set-up code, founders, and what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.access.before_opening import missing_of
from immure.access.door import Door
from immure.access.records import Approval, HardwareKey, Person
from immure.access.room import FOUNDING
from immure.access.web.deeds import DEEDS
from immure.access.web.forms import ACCOUNT, SCREENING, Field, Values, screening_of, words_of
from immure.access.web.html import card, hidden, link, links, shown, word_list
from immure.access.web.looking import door_policy
from immure.access.web.pages import fault_line, field_html, page
from immure.access.web.policy_words import policy_words
from immure.access.web.setting_up import NAME

_CODE: Final = Field(
    "code", "Set-up code", f"It is in the file {NAME} in the directory of the room, on its server."
)
FOUNDER: Final = (
    ACCOUNT,
    Field("person", "Person", "What whoever screens calls them; no mail address."),
    Field("roles", "Roles", "With blanks between them.", needed=False),
    *SCREENING,
)
_LEAD: Final = (
    "Nobody signs this: all founders sign all of it at the end. It cannot be taken back; a room with a wrong "
    "founder in it is made anew."
)


def code_page(token: str, fault: tuple[str, str] | None = None) -> bytes:
    """Where somebody shows that they may found the room."""
    body = f"""{"" if fault is None else fault_line(*fault)}
<p>Nobody is in this room yet. Whoever founds it shows that they have its server.</p>
<form method="post" action="/set-up">
{hidden({"token": token})}
{field_html(_CODE, "")}
<button>Go on</button>
</form>"""
    return page("Found this room" if fault is None else "Not done: found this room", body)


def founding_page(door: Door) -> bytes:
    """Who is a founder, what is missing, and what they will sign."""
    founders = [_founder_card(door, one) for one in door.records(Person, state="founder")]
    missing = missing_of(door)
    state = "nothing is missing: every founder can sign" if missing is None else f"missing: {missing}"
    deeds = [link("/founder", "Name a founder"), link("/do/founding-key", DEEDS["founding-key"].title)]
    deeds.append(link("/do/found", DEEDS["found"].title))
    body = f"""{word_list([state])}
{links("What can be done", deeds)}
<h2>Founders</h2>
{"".join(founders) or "<p>Nobody yet.</p>"}
<h2>The policy</h2>
{word_list(policy_words(door.policy))}
<h2>Its text</h2>
<pre>{shown(door_policy(door))}</pre>"""
    return page("Found this room", body)


def _founder_card(door: Door, person: Person) -> str:
    keys = door.records(HardwareKey, about=person.id, state="proposed")
    words = [f"{person.person}, screened to {person.level} by {person.attester}"]
    words += [f"hardware key: {key.model}, {key.fingerprint}" for key in keys] or ["no hardware key yet"]
    signed = any(one.account == person.id for one in door.records(Approval, about=FOUNDING))
    if signed:
        return card(person.id, [*words, "has signed"])
    values = {"account": person.id}
    made = (link(f"/do/{name}", DEEDS[name].title, values, person.id) for name in ("founding-key", "found"))
    return card(person.id, words, links(f"For {person.id}", made))


def founder_page(
    token: str, values: Mapping[str, str], levels: tuple[str, ...], fault: tuple[str, str] | None = None
) -> bytes:
    """The form by which a founder is named."""
    fields = "\n".join(field_html(one, values.get(one.name, one.value), levels) for one in FOUNDER)
    body = f"""{"" if fault is None else fault_line(*fault)}
<p>{shown(_LEAD)}</p>
<form method="post" action="/founder">
{hidden({"token": token})}
{fields}
<button>Name this founder</button>
</form>"""
    return page("Name a founder" if fault is None else "Not done: name a founder", body)


def read_founder(form: Values) -> dict[str, str]:
    """What the form says."""
    return {field.name: form.get(field.name, "").strip() for field in FOUNDER}


def name_founder(door: Door, values: Values) -> str:
    """Name a founder; what came of it, in words. Raises DeniedError or InputError."""
    account = values["account"]
    door.name_founder(
        account, values["person"], roles=words_of(values["roles"]), screening=screening_of(values)
    )
    return f"{account}: founder; register two hardware keys of theirs next"
