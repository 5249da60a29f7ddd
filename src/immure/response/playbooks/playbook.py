"""A playbook: TOML, read strictly; ``docs/reference/playbooks.md`` has its form.

>>> "key-left-the-room" in names()
True
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from immure.errors import UsageError
from immure.introspection.table import Table
from immure.response.containment.running import ACTIONS
from immure.response.finding import FINDING_KINDS
from immure.response.playbooks.errors import PlaybookError
from immure.toml_file import parse_toml, read_bounded

Kind = Literal["ask", "contain", "prove"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SUFFIX: Final = ".toml"
MOST_BYTES: Final = 256 << 10
MOST_STEPS: Final = 64
_MOST_TEXT: Final = 2000
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
#: What a command that a person is told may hold in braces.
_PLACES: Final = re.compile(r"\{([^{}]*)\}")
PLACES: Final = frozenset({"incident", "config", "kid", "issuer"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        id: its name in the playbook.
        do: ``ask``: a person does it, and says so; ``contain``, ``prove``: the program does.
        title: in a line.
        text: what is to be done, and how one knows that it is done.
        command: that a person may run for it, with places in braces (:data:`PLACES`).
        role: of the person whom it is for; "" is anybody.
        needs: ids of steps that must be done before.
        outcomes: of which a person says one; none means that it is only done.
        when: steps and the outcome that each must have had; with another one this step is passed over.
        only: steps of a containment; none means all.
        again: do the steps of the containment even if they were done before.
        seconds: for which a proof asks again.
    """

    id: str
    do: Kind
    title: str
    text: str = ""
    command: str = ""
    role: str = ""
    needs: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    when: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    again: bool = False
    seconds: int = 30


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook.

    Attributes:
        name: by which it is called.
        title: in a line.
        text: when it is the right one.
        findings: kinds of findings that it is for.
        steps: in their order.
    """

    name: str
    title: str
    text: str
    findings: tuple[str, ...]
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The step of that id; raises PlaybookError."""
        for one in self.steps:
            if one.id == name:
                return one
        raise PlaybookError(f"the playbook {self.name} has no step {name[:80]!a}")


def names() -> tuple[str, ...]:
    """Names of the playbooks that come with Immure."""
    return tuple(sorted(path.stem for path in _own()))


def find(name: str) -> Playbook:
    """The playbook of that name, or in that file.

    Raises:
        PlaybookError: there is none, or it is wrong.
    """
    for path in _own():
        if path.stem == name:
            return read_playbook(path)
    if not name.endswith(SUFFIX):
        raise PlaybookError(f"no playbook {name[:80]!a}; there are {', '.join(names())}, or a file *{SUFFIX}")
    return read_playbook(Path(name))


def read_playbook(path: Path) -> Playbook:
    """The playbook in a file; raises PlaybookError."""
    name, data = read_bounded(path, MOST_BYTES, PlaybookError)
    return parse_playbook(data, name)


def parse_playbook(data: bytes, path: str) -> Playbook:
    """The playbook that ``data`` holds; raises PlaybookError."""
    values = parse_toml(data, path, MOST_BYTES, PlaybookError)
    steps = values.pop("steps", None)
    if not isinstance(steps, list) or not 0 < len(steps) <= MOST_STEPS:
        raise PlaybookError(f"has no list of 1 to {MOST_STEPS} steps", path=path)
    try:
        made = _playbook(Table(values), tuple(_step(number, one) for number, one in enumerate(steps)))
    except UsageError as error:
        raise PlaybookError(str(error), path=path) from error
    return made


def _playbook(table: Table, steps: tuple[Step, ...]) -> Playbook:
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    made = Playbook(
        _checked(table.text("name"), "name", _ID),
        _line(table.text("title"), "title"),
        _text(table.text("text"), "text"),
        table.texts("findings"),
        steps,
    )
    table.end()
    unknown = set(made.findings) - set(FINDING_KINDS)
    if unknown or not made.findings:
        raise UsageError(f"findings are some of {', '.join(FINDING_KINDS)}")
    _check_steps(steps)
    return made


def _step(number: int, values: object) -> Step:
    table = Table(values, f"steps[{number}]")
    do: Kind = table.choice("do", KINDS)
    when = table.table("when")
    conditions = {}
    for name in list(when._values):
        conditions[name] = when.text(name)
    made = Step(
        _checked(table.text("id"), f"{table.name}.id", _ID),
        do,
        _line(table.text("title"), f"{table.name}.title"),
        _text(table.text("text"), f"{table.name}.text") if table.has("text") else "",
        _command(table.text("command"), table.name) if table.has("command") else "",
        table.optional("role") or "",
        table.texts("needs"),
        table.texts("outcomes"),
        conditions,
        table.texts("only"),
        table.flag("again"),
        table.number("seconds", 30, 0, 86_400),
    )
    if do != "ask" and (made.outcomes or made.command):
        raise UsageError(f"{table.name}: only what a person is asked has outcomes and a command")
    if do == "ask" and not made.text:
        raise UsageError(f"{table.name}.text is missing")
    if (do != "contain" and (made.only or made.again)) or set(made.only) - {one.name for one in ACTIONS}:
        raise UsageError(f"{table.name}.only is of contain, and names its steps; so is again")
    table.end()
    return made


def _check_steps(steps: tuple[Step, ...]) -> None:
    """Steps need what comes before them, so that there is no circle."""
    known: dict[str, Step] = {}
    for one in steps:
        if one.id in known:
            raise UsageError(f"two steps have the id {one.id!a}")
        for name in one.needs:
            if name not in known:
                raise UsageError(f"{one.id} needs {name[:80]!a}, which is no step before it")
        for name, outcome in one.when.items():
            if name not in known or outcome not in known[name].outcomes:
                raise UsageError(f"{one.id}: {name[:80]!a} before it has no outcome {outcome[:80]!a}")
        known[one.id] = one


def _checked(text: str, name: str, form: re.Pattern[str]) -> str:
    if form.fullmatch(text) is None:
        raise UsageError(f"{name} is words of letters in lower case and digits, with hyphens between")
    return text


def _line(text: str, name: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise UsageError(f"{name} is a line of up to 200 characters")
    return text


def _text(text: str, name: str) -> str:
    if len(text) > _MOST_TEXT or not all(one.isprintable() or one == "\n" for one in text):
        raise UsageError(f"{name} is a text of up to {_MOST_TEXT} characters")
    return text.strip()


def _command(text: str, where: str) -> str:
    unknown = set(_PLACES.findall(text)) - PLACES
    if unknown or not text.isprintable() or len(text) > 500:
        raise UsageError(f"{where}.command has places other than {', '.join(sorted(PLACES))}")
    return text


def _own() -> Iterator[Path]:
    yield from Path(__file__).parent.glob(f"*{SUFFIX}")
