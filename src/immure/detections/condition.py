"""Conditions over one record, as a rule states them: what SQL and Sigma both can say.

>>> from_plain({"all": [{"field": "action", "is": "sync"}, {"not": {"field": "app", "missing": True}}]}).sql()
"(lower(action) = 'sync') AND (NOT (app IS NULL))"

Texts are compared without regard to case, as Sigma does. A record that does not have the field fulfils no
test of it but ``missing``; ``not`` turns what is left around, also for such a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from immure.detections.engine import quoted
from immure.detections.errors import RuleError
from immure.detections.records import Sort

Value: TypeAlias = str | int | float | bool
Test = Literal["is", "contains", "starts", "ends", "matches", "above", "below", "missing"]
_TESTS: Final[tuple[Test, ...]] = get_args(Test)
_MOST_DEPTH: Final = 20
_MOST_NUMBER: Final = 1 << 63
_FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class Field:
    """A test of a field; ``values`` are alternatives."""

    name: str
    test: Test
    values: tuple[Value, ...]

    def sql(self) -> str:
        """The test as SQL."""
        if self.test == "missing":
            return f"{self.name} IS NULL" if self.values[0] else f"{self.name} IS NOT NULL"
        parts = [self._sql(value) for value in self.values]
        return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)

    def _sql(self, value: Value) -> str:
        if self.test in ("above", "below"):
            return f"{self.name} {'>' if self.test == 'above' else '<'} {value}"
        if isinstance(value, bool):
            return self.name if value else f"NOT {self.name}"
        if not isinstance(value, str):
            return f"{self.name} = {value}"
        if self.test == "is":
            return f"lower({self.name}) = {quoted(value.lower())}"
        if self.test == "matches":
            return f"regexp_matches({self.name}, {quoted('(?i)' + value)})"
        function = {"contains": "contains", "starts": "starts_with", "ends": "ends_with"}[self.test]
        return f"{function}(lower({self.name}), {quoted(value.lower())})"


@dataclass(frozen=True, slots=True)
class Not:
    """What does not fulfil a condition, also for want of a field."""

    part: Condition

    def sql(self) -> str:
        """The condition as SQL."""
        inner = self.part.sql()
        if isinstance(self.part, Field) and self.part.test == "missing":
            return f"NOT ({inner})"
        return f"NOT coalesce({inner}, false)"


@dataclass(frozen=True, slots=True)
class Every:
    """All of several conditions."""

    parts: tuple[Condition, ...]

    def sql(self) -> str:
        """The condition as SQL."""
        return " AND ".join(f"({part.sql()})" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """One of several conditions."""

    parts: tuple[Condition, ...]

    def sql(self) -> str:
        """The condition as SQL."""
        return " OR ".join(f"({part.sql()})" for part in self.parts)


Condition: TypeAlias = Field | Not | Every | Some


def from_plain(plain: Any, *, depth: int = 0) -> Condition:
    """The condition that a document states.

    Raises:
        RuleError: it is none.
    """
    if not isinstance(plain, dict) or depth > _MOST_DEPTH:
        raise RuleError("a condition is all, any, not, or a field with one test")
    names = set(plain)
    if names == {"all"} or names == {"any"}:
        kind = Every if names == {"all"} else Some
        (listed,) = plain.values()
        if not isinstance(listed, list) or not listed:
            raise RuleError(f"{min(names)} of a condition is a list")
        return kind(tuple(from_plain(one, depth=depth + 1) for one in listed))
    if names == {"not"}:
        return Not(from_plain(plain["not"], depth=depth + 1))
    tests = names - {"field"}
    if len(tests) != 1 or not tests <= set(_TESTS) or not _FIELD.fullmatch(str(plain.get("field"))):
        raise RuleError(f"a test is a field and one of {', '.join(_TESTS)}")
    (test,) = tests
    values = plain[test] if isinstance(plain[test], list) else [plain[test]]
    return Field(plain["field"], test, _values(test, values))


def _values(test: Test, values: Sequence[Any]) -> tuple[Value, ...]:
    wanted: tuple[type, ...] = (str,)
    if test == "is":
        wanted = (str, int, float, bool)
    elif test in ("above", "below"):
        wanted = (int, float)
    elif test == "missing":
        wanted = (bool,)
    if any(isinstance(one, (int, float)) and not -_MOST_NUMBER < one < _MOST_NUMBER for one in values):
        raise RuleError(f"{test} of a condition has a number that no column can have")
    if (
        not values
        or any(type(one) not in wanted for one in values)
        or (test == "missing" and len(values) > 1)
    ):
        raise RuleError(f"{test} of a condition has a value that it cannot have")
    if test == "matches":
        for one in values:
            _check_pattern(one)
    return tuple(values)


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise RuleError(f"matches of a condition is no regular expression: {error}") from None


def tests_of(condition: Condition) -> Iterator[Field]:
    """All tests of a condition."""
    if isinstance(condition, Field):
        yield condition
    elif isinstance(condition, Not):
        yield from tests_of(condition.part)
    else:
        for part in condition.parts:
            yield from tests_of(part)


def fields_of(condition: Condition) -> Iterator[str]:
    """Names of all fields of a condition."""
    return (test.name for test in tests_of(condition))


def check_sorts(condition: Condition, sorts: Mapping[str, Sort]) -> None:
    """See that nothing is asked of a column that it cannot answer.

    Args:
        sorts: what each column holds.

    Raises:
        RuleError: a text is looked for in a number, or the like.
    """
    for test in tests_of(condition):
        sort = sorts[test.name]
        for value in test.values if test.test != "missing" else ():
            wanted = "flag" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
            if sort != wanted:
                raise RuleError(
                    f"{test.name} is a {sort}, and is held against a {wanted}: {str(value)[:64]!a}"
                )


def to_plain(condition: Condition) -> dict[str, Any]:
    """The condition as a document states it."""
    if isinstance(condition, Field):
        values = list(condition.values)
        return {"field": condition.name, condition.test: values[0] if len(values) == 1 else values}
    if isinstance(condition, Not):
        return {"not": to_plain(condition.part)}
    return {"all" if isinstance(condition, Every) else "any": [to_plain(one) for one in condition.parts]}
