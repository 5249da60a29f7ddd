"""What a deed on the page is: its form, how it begins, and what texts of a form stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from immure.access.ceremonies import Ceremony
from immure.access.door import Door
from immure.access.room import deny
from immure.access.texts import moment, spelled
from immure.auditlog import JSON

Values = Mapping[str, str]

#: Characters of a field, unless it says otherwise.
MOST_TEXT: Final = 2000
#: A certificate in PEM; that of an RSA key of 8192 bits has some 4000.
MOST_PEM: Final = 16_000


@dataclass(frozen=True, slots=True)
class Here:
    """From where something is done: the account that has signed in (empty if nobody has), the SHA-256 of the
    certificate of its workstation (empty: none is shown), and that certificate (DER)."""

    account: str
    workstation: str = ""
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form; ``kind`` is ``text``, ``long``, ``code`` (many lines, of which each character
    counts), ``number``, ``date``, ``time``, ``level`` (of screening: the policy's) or ``choice``."""

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    value: str = ""
    choices: tuple[str, ...] = ()
    needed: bool = True
    complete: str = "off"
    most: int = MOST_TEXT


Begin = Callable[[Door, Here, Values], Ceremony]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person does.

    Attributes:
        title, lead: what it is called, and what comes of it.
        fields: of its form.
        begin: begins the ceremony; all that decides is in the door.
        alone: nobody needs to have signed in.
        founding: it is there only until the room is open, and for whoever has its set-up code.
    """

    title: str
    lead: str
    fields: tuple[Field, ...]
    begin: Begin
    alone: bool = False
    founding: bool = False


def whole_number(values: Values, name: str) -> int:
    """The number in a field; says no if it is none."""
    text = values.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        deny(name, f"{name} are a whole number")
    return int(text)


def words_of(text: str) -> list[str]:
    """Words with blanks or commas between them."""
    return text.replace(",", " ").split()


def day(text: str, time: str = "00:00") -> str:
    """The moment at which a day begins, or of a time on it (UTC), as documents have it; raises InputError."""
    return spelled(moment(f"{text}T{time}:00Z"))


def screening_of(values: Values) -> dict[str, JSON]:
    """The screening record in a form; raises InputError."""
    record: dict[str, JSON] = {name: values[name] for name in ("attester", "level", "reference")}
    return {**record, "screened": day(values["screened"]), "expires": day(values["expires"])}


SCREENING: Final = (
    Field("attester", "Who attests the screening"),
    Field("level", "Level of the screening", kind="level"),
    Field("screened", "Screened on", kind="date"),
    Field("expires", "Good until", kind="date"),
    Field("reference", "Reference", "Where the results are. They are not asked for."),
)
ACCOUNT: Final = Field("account", "Account", "Of this room, as in prd-ada.", complete="username webauthn")
WHOSE: Final = Field("account", "Whose", "An account of this room.")
REASON: Final = Field("reason", "Reason", "At least 8 characters.", "long")
