"""A rule: what is looked for, how bad it is, and examples that show that it finds what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, get_args

from immure.detections.condition import Condition, check_sorts, fields_of, from_plain
from immure.detections.errors import RuleError
from immure.detections.finding import SEVERITIES, Severity
from immure.detections.records import Kind, Sort, columns, sort_of

RuleKind = Literal["row", "first-seen", "volume", "reconciliation", "weak", "ledger", "counter"]
KINDS: Final[tuple[RuleKind, ...]] = get_args(RuleKind)
_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+){0,7}")
_MEMBERS: Final = {
    "id", "title", "kind", "about", "severity", "description", "references", "where", "sql", "by", "reason",
    "parameters", "examples", "counter_examples", "attack",
}  # fmt: skip
_NEEDED: Final = {"id", "title", "kind", "severity", "description", "examples", "counter_examples"}
_SQL_KINDS: Final = ("row", "first-seen", "volume")
_MOST_EXAMPLES: Final = 200

#: Columns that acceptances have beside their own: what the registry says of their key, see
#: :mod:`immure.detections.key_facts`.
KEY_FACTS: Final = {
    "has_registry": "BOOLEAN",
    "key_known": "BOOLEAN",
    "key_scoped": "BOOLEAN",
    "issuer_allowed": "BOOLEAN",
    "class_allowed": "BOOLEAN",
    "tenant_allowed": "BOOLEAN",
    "key_state": "VARCHAR",
    "key_active_from": "BIGINT",
    "key_not_after": "BIGINT",
    "key_compromised_from": "BIGINT",
    "most_lifetime": "BIGINT",
    "key_life": "BIGINT",
    "skew": "BIGINT",
    "seconds": "DOUBLE",
}
#: Columns that mailbox records have beside their own: the network of the address.
MAIL_FACTS: Final = {"network": "VARCHAR"}
_SORTS: Final[dict[str, Sort]] = {
    "BOOLEAN": "flag", "VARCHAR": "text", "BIGINT": "number", "DOUBLE": "number",
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """See docs/reference/detect.md for what each member means.

    Raises:
        RuleError: the members cannot be so.
    """

    id: str
    title: str
    kind: RuleKind
    severity: Severity
    description: str
    about: Kind = "acceptance"
    where: Condition | None = None
    sql: str = ""
    by: tuple[str, ...] = ()
    reason: str = ""
    references: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    examples: tuple[Any, ...] = ()
    counter_examples: tuple[Any, ...] = ()
    origin: str = ""

    def __post_init__(self) -> None:
        if self.kind in _SQL_KINDS:
            if self.kind == "row" and self.where is None and not self.sql:
                raise RuleError("a rule over rows has either where or sql", path=self.origin or self.id)
            if self.where is not None and self.sql:
                raise RuleError("a rule has either where or sql, not both", path=self.origin or self.id)
            unknown = (set(self.by) | set(fields_of(self.where) if self.where else ())) - self.columns
            if unknown:
                raise RuleError(f"no column {min(unknown)!a} of {self.about}", path=self.origin or self.id)
            if self.where is not None:
                self._check_sorts(self.where)
            if not self.by:
                raise RuleError("by names what makes two findings one", path=self.origin or self.id)
        elif self.where is not None or self.sql:
            raise RuleError(f"a rule of kind {self.kind} has no condition", path=self.origin or self.id)

    def _check_sorts(self, where: Condition) -> None:
        more = {name: _SORTS[sort] for name, sort in {**KEY_FACTS, **MAIL_FACTS}.items()}
        try:
            check_sorts(where, {name: more.get(name) or sort_of(name) for name in self.columns})
        except RuleError as error:
            raise RuleError(error.reason, path=self.origin or self.id) from None

    @cached_property
    def columns(self) -> frozenset[str]:
        """Columns that a condition may use."""
        more = KEY_FACTS if self.about == "acceptance" else MAIL_FACTS if self.about == "mail" else {}
        return frozenset({*columns(self.about), *more})

    @property
    def condition(self) -> str:
        """What is looked for, as SQL."""
        if self.where is not None:
            return self.where.sql()
        return self.sql or "true"


def rule_from(plain: Any, origin: str) -> Rule:
    """The rule that a document states.

    Args:
        plain: what YAML has made of it.
        origin: the file, for messages.

    Raises:
        RuleError: it states none.
    """
    try:
        return _rule(plain, origin)
    except RuleError as error:
        raise RuleError(error.reason, path=origin) from None


def _rule(plain: Any, origin: str) -> Rule:
    if not isinstance(plain, dict) or not all(isinstance(name, str) for name in plain):
        raise RuleError("a rule is a document with named members")
    unknown, missing = set(plain) - _MEMBERS, _NEEDED - set(plain)
    if unknown or missing:
        word = f"an unknown member {min(unknown)!a}" if unknown else f"no {min(missing)}"
        raise RuleError(f"a rule has {word}")
    values = {name: _text(plain, name) for name in ("id", "title", "description")}
    if not _ID.fullmatch(values["id"]):
        raise RuleError("id is words of small letters and digits, with hyphens between")
    return Rule(
        **values,
        kind=_choice(plain, "kind", KINDS),
        severity=_choice(plain, "severity", SEVERITIES),
        about=_choice(plain, "about", ("acceptance", "mail", "signin"), "acceptance"),
        where=from_plain(plain["where"]) if "where" in plain else None,
        sql=_sql(_text(plain, "sql", "")),
        by=_texts(plain, "by"),
        reason=_text(plain, "reason", ""),
        references=_texts(plain, "references"),
        attack=_texts(plain, "attack"),
        parameters=_numbers(plain.get("parameters", {})),
        examples=_examples(plain, "examples"),
        counter_examples=_examples(plain, "counter_examples"),
        origin=origin,
    )


def _sql(text: str) -> str:
    """An expression; the engine says the rest. Semicolons and comments would begin something else."""
    if ";" in text or "--" in text or "/*" in text:
        raise RuleError("sql is one expression, without comments")
    return text.strip()


def _text(plain: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = plain.get(name, default)
    if not isinstance(value, str) or len(value) > 8192:
        raise RuleError(f"{name} is not a text")
    return value.strip()


def _texts(plain: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = plain.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise RuleError(f"{name} is not a list of texts")
    return tuple(value)


def _choice(plain: Mapping[str, Any], name: str, choices: tuple[Any, ...], default: Any = None) -> Any:
    value = plain.get(name, default)
    if value not in choices:
        raise RuleError(f"{name} is one of {', '.join(choices)}")
    return value


def _numbers(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or any(type(one) not in (int, float) for one in value.values()):
        raise RuleError("parameters are numbers")
    return dict(value)


def _examples(plain: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    value = plain[name]
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_EXAMPLES:
        raise RuleError(f"{name} is a list, with one at least")
    return tuple(value)
