"""Where each deadline of an incident stands, worked out from its timeline.

A deadline is in the timeline as entries of kind ``deadline``, each with ``deadline`` (its name) and
``state``:

- ``running``: it counts from the moment ``since``, which entry ``from`` gives; ``rule`` is the whole rule, so
  that what was counted does not change with a file of rules.
- ``met``: it was met at the moment ``at``; ``reference`` says by what.
- ``void``: it does not apply after all, for the reason ``reason``.

What stands is the newest entry of each name that nobody has corrected. A correction in words takes an entry
back; the deadline can then be begun anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from immure.response.deadlines.rule import Rule
from immure.response.errors import ConflictError, FormError
from immure.response.incident import Incident
from immure.response.timeline import Entry, JsonValue, corrected, standing

KIND: Final = "deadline"


class State(StrEnum):
    """How a deadline stands at a moment."""

    RUNNING = "running"
    OVERDUE = "overdue"
    MET = "met"
    MET_LATE = "met late"
    WAITING = "waiting"
    """It runs from the moment at which another one is met."""
    VOID = "does not apply"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline, and how it stands.

    Attributes:
        rule: what is to be done, how long it takes, who says so.
        state: at the moment that was asked for.
        since: from when on it counts; None if that is not known yet.
        origin: sequence of the entry from which it counts.
        due: the last moment at which it is met; of one that waits, the latest that this can become.
        met: when it was met.
        reference: by what it was met, or why it does not apply.
        doubt: why the moment from which it counts may be another one; empty if nothing speaks for that.
    """

    rule: Rule
    state: State
    since: int | None = None
    origin: int | None = None
    due: int | None = None
    met: int | None = None
    reference: str = ""
    doubt: str = ""

    @property
    def overdue(self) -> bool:
        """Whether its moment has passed without its being met."""
        return self.state is State.OVERDUE

    def left(self, now: int) -> int | None:
        """Seconds that are left, negative if it is overdue; None if nothing is to be done, or not yet."""
        if self.due is None or self.state not in (State.RUNNING, State.OVERDUE, State.WAITING):
            return None
        return self.due - now


def deadlines_of(entries: Iterable[Entry], now: int) -> list[Deadline]:
    """Every deadline that was ever begun, the one that is due first in front.

    Args:
        entries: a whole timeline.
        now: seconds since 1970.

    Raises:
        FormError: an entry is not of this form.
    """
    known = tuple(entries)
    begun: dict[str, Entry] = {}
    ended: dict[str, Entry] = {}
    for entry in standing(known, KIND):
        name, state = entry.body.get("deadline"), entry.body.get("state")
        if entry.kind == "correction" and name is None:
            continue  # somebody has taken an entry back, in words
        if not isinstance(name, str) or state not in ("running", "met", "void"):
            raise FormError(f"entry {entry.sequence} says nothing of a deadline that could be understood")
        if state == "running":
            begun[name] = entry
            ended.pop(name, None)
        else:
            ended[name] = entry
    made: dict[str, Deadline] = {}
    for name in begun:
        _work_out(name, begun, ended, made, known, now)
    return sorted(made.values(), key=_order)


def begin(incident: Incident, rule: Rule, *, origin: int | None, since: int | None, actor: str) -> Entry:
    """Let a deadline run.

    Args:
        incident: the record.
        rule: the deadline.
        origin: sequence of the entry from which it counts; not for one that runs after another.
        since: the moment; None for that at which the entry was written.
        actor: who says it.

    Raises:
        FormError: there is no such entry, the moment is after it, or it is not known how long the rule is.
        ConflictError: it runs already, from another moment, or that entry was corrected.
    """
    entries = incident.entries()
    if rule.after:
        origin = moment = None
    elif origin is None:
        raise FormError(f"{rule.id} counts from an entry of the timeline; name it")
    else:
        moment = _moment(entries, origin, since)
        rule.due(moment)
    body: dict[str, JsonValue] = {
        "deadline": rule.id, "state": "running", "rule": rule.plain(), "from": origin, "since": moment,
        "says": f"{rule.id} runs: {rule.span_words()}" + (f" after {rule.after}" if rule.after else ""),
    }  # fmt: skip
    for entry in standing(entries, KIND):
        if entry.body.get("deadline") != rule.id:
            continue
        if dict(entry.body) == body:
            return entry
        if entry.body.get("state") == "running":
            words = f"{rule.id} runs already, by entry {entry.sequence}: correct that entry first"
            raise ConflictError(words)
    return incident.add(KIND, body, actor=actor)


def end(incident: Incident, name: str, *, state: str, at: int, reference: str, actor: str, now: int) -> Entry:
    """Write down that a deadline was met (``met``) or does not apply (``void``).

    Raises:
        FormError: it was never begun, or the moment lies ahead.
        ConflictError: that was written down before.
    """
    found = {one.rule.id: one for one in deadlines_of(incident.entries(), now)}
    if name not in found:
        raise FormError(f"no deadline {name[:60]!a} runs in this incident")
    if found[name].state in (State.MET, State.MET_LATE, State.VOID):
        raise ConflictError(f"{name} is not open: it is {found[name].state.value}")
    if at > now:
        raise FormError("what was met was met in the past")
    word = "at" if state == "met" else "void_at"
    says = f"{name} {'was met' if state == 'met' else 'does not apply'}: {reference or 'no reference'}"
    body: dict[str, JsonValue] = {
        "deadline": name, "state": state, word: at, "reference": reference, "says": says,
    }  # fmt: skip
    return incident.add(KIND, body, actor=actor, source=reference or None)


def _moment(entries: tuple[Entry, ...], origin: int, since: int | None) -> int:
    if not 0 <= origin < len(entries):
        raise FormError(f"there is no entry {origin}")
    if later := corrected(entries).get(origin):
        raise ConflictError(f"entry {origin} was corrected by entry {later[-1]}: count from that one")
    written = entries[origin].at
    if since is not None and since > written:
        raise FormError(f"entry {origin} was written before that moment: it cannot say so")
    return written if since is None else since


def _work_out(
    name: str,
    begun: Mapping[str, Entry],
    ended: Mapping[str, Entry],
    made: dict[str, Deadline],
    entries: tuple[Entry, ...],
    now: int,
) -> Deadline | None:
    """Put the deadline of that name into ``made``, those that it waits for before it."""
    if name in made or name not in begun:
        return made.get(name)
    entry = begun[name]
    rule = Rule.from_plain(entry.body.get("rule"))
    made[name] = Deadline(rule, State.WAITING)  # so that a circle of deadlines ends here
    since, origin = entry.body.get("since"), entry.body.get("from")
    if type(since) is int and type(origin) is int:
        made[name] = _counted(rule, since, origin, _doubt(entries, origin), ended.get(name), now)
        return made[name]
    before = _work_out(rule.after, begun, ended, made, entries, now)
    if before is not None and before.met is not None:
        made[name] = _counted(
            rule, before.met, ended[rule.after].sequence, before.doubt, ended.get(name), now
        )
    elif name in ended:
        made[name] = _counted(rule, None, None, "", ended[name], now)
    elif before is not None and before.due is not None:
        made[name] = Deadline(rule, State.WAITING, due=rule.due(before.due), doubt=before.doubt)
    return made[name]


def _counted(
    rule: Rule, since: int | None, origin: int | None, doubt: str, ended: Entry | None, now: int
) -> Deadline:
    due = None if since is None else rule.due(since)
    if ended is None:
        state = State.OVERDUE if due is not None and now > due else State.RUNNING
        return Deadline(rule, state, since, origin, due, doubt=doubt)
    reference = str(ended.body.get("reference", ""))
    if ended.body.get("state") == "void":
        return Deadline(rule, State.VOID, since, origin, due, reference=reference)
    met = ended.body.get("at")
    if type(met) is not int:
        raise FormError(f"entry {ended.sequence} does not say when {rule.id} was met")
    late = due is not None and met > due
    return Deadline(rule, State.MET_LATE if late else State.MET, since, origin, due, met, reference, doubt)


def _doubt(entries: tuple[Entry, ...], origin: int) -> str:
    later = corrected(entries).get(origin)
    if not later:
        return ""
    return f"entry {origin}, from which it counts, was corrected by entry {later[-1]}"


def _order(one: Deadline) -> tuple[bool, float, str]:
    open_ = one.state in (State.RUNNING, State.OVERDUE, State.WAITING)
    return not open_, float("inf") if one.due is None else one.due, one.rule.id
