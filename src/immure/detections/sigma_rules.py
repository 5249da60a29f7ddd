"""Rules over single records, into Sigma and out of it (pySigma).

What Sigma cannot say, or we cannot, is refused: a rule that says something else afterwards is worse than
none. The reconciliation is none of them: Sigma speaks of one record at a time, and "no row of the ledger" is
about two logs. It is exported as SQL (:mod:`immure.detections.export_sql`).

Needs pySigma: ``pip install 'immure[sigma]'``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from immure.detections.condition import Condition, Every, Field, Not, Some, Value
from immure.detections.errors import SigmaError
from immure.detections.finding import SEVERITIES, Severity
from immure.detections.libraries import library
from immure.detections.records import Kind, columns, sort_of
from immure.detections.rule import MAIL_FACTS, Rule

#: What a rule is about, as ``logsource`` of Sigma has it.
LOGSOURCES: Final[dict[Kind, dict[str, str]]] = {
    "acceptance": {"product": "immure", "category": "token_acceptance"},
    "mail": {"product": "immure", "category": "mail_access"},
    "signin": {"product": "immure", "category": "sign_in"},
}
_LEVELS: Final[dict[Severity, str]] = {
    "info": "informational", "low": "low", "medium": "medium", "high": "high", "critical": "critical",
}  # fmt: skip
_MODIFIERS: Final = {"contains": "contains", "starts": "startswith", "ends": "endswith", "matches": "re",
                     "above": "gt", "below": "lt"}  # fmt: skip
#: Sigma's name for "does not have this field" is ``field|exists: false``; null means that it is null.
_NAMESPACE: Final = uuid.UUID("8f0c2b86-1c4c-5c0e-9f0a-6f1d3f6e2a51")


def to_sigma(rule: Rule) -> dict[str, Any]:
    """A rule as a document of Sigma.

    Raises:
        SigmaError: Sigma cannot say it.
    """
    if rule.kind != "row" or rule.where is None:
        raise SigmaError(
            "Sigma cannot say it: only conditions (where) over single records can be said", path=rule.id
        )
    detection: dict[str, Any] = {}
    detection["condition"] = _export(rule.where, detection)
    made: dict[str, Any] = {
        "title": rule.title[:256],
        "id": str(uuid.uuid5(_NAMESPACE, rule.id)),
        "name": rule.id,
        "status": "experimental",
        "description": rule.description,
        "logsource": LOGSOURCES[rule.about],
        "detection": {
            name: detection[name] for name in sorted(detection, key=lambda one: one == "condition")
        },
        "fields": list(rule.by),
        "level": _LEVELS[rule.severity],
    }
    if rule.references:
        made["references"] = list(rule.references)
    if rule.attack:
        made["tags"] = [f"attack.{one.lower()}" for one in rule.attack]
    return made


def _export(condition: Condition, detection: dict[str, Any]) -> str:
    """The condition as Sigma has it; its tests become named parts of ``detection``."""
    if isinstance(condition, Field):
        name = f"test{len(detection) + 1}"
        detection[name] = _test(condition)
        return name
    if isinstance(condition, Not):
        return f"not {_wrapped(condition.part, detection)}"
    word = " and " if isinstance(condition, Every) else " or "
    return word.join(_wrapped(part, detection) for part in condition.parts)


def _wrapped(condition: Condition, detection: dict[str, Any]) -> str:
    text = _export(condition, detection)
    return text if isinstance(condition, Field) else f"({text})"


def _test(one: Field) -> dict[str, Any]:
    if one.test == "missing":
        if not one.values[0]:
            raise SigmaError(f"{one.name}: 'not' around 'missing: true' is what Sigma can say")
        return {one.name: None}
    values = [_escaped(value) if one.test != "matches" else value for value in one.values]
    key = one.name if one.test == "is" else f"{one.name}|{_MODIFIERS[one.test]}"
    if one.test == "matches":
        key = f"{key}|i"
    return {key: values[0] if len(values) == 1 else values}


def _escaped(value: Value) -> Value:
    """A text in which Sigma sees no wildcard."""
    return re.sub(r"([*?\\])", r"\\\1", value) if isinstance(value, str) else value


def from_sigma(text: str, origin: str, fields: Mapping[str, str] | None = None) -> Rule:
    """A rule of Sigma as one of ours.

    Args:
        text: YAML.
        origin: the file, for messages.
        fields: names of fields in the rule, and our columns for them.

    Raises:
        SigmaError: it is no rule of Sigma, or says what we cannot.
    """
    sigma = library("sigma.rule", extra="sigma")
    errors = library("sigma.exceptions", extra="sigma")
    try:
        parsed = sigma.SigmaRule.from_yaml(text)
        trees = [one.parsed for one in parsed.detection.parsed_condition]
    except (errors.SigmaError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise SigmaError(f"is no rule of Sigma: {' '.join(str(error).split())[:200]}", path=origin) from None
    except Exception as error:  # noqa: BLE001 - its YAML library has errors of its own
        raise SigmaError(f"is no rule of Sigma ({type(error).__name__})", path=origin) from None
    about = _about(parsed, origin)
    importer = _Importer({**dict(fields or {})}, about, origin)
    parts = [importer.take(tree) for tree in trees]
    if not parts:
        raise SigmaError("has no condition", path=origin)
    where = parts[0] if len(parts) == 1 else Some(tuple(parts))
    level = parsed.level.name.lower() if parsed.level is not None else "medium"
    severity: Severity = next((ours for ours, theirs in _LEVELS.items() if theirs == level), "medium")
    assert severity in SEVERITIES  # noqa: S101 - keys of a table of ours
    tags = [str(tag) for tag in parsed.tags]
    return Rule(
        _identifier(parsed, origin), str(parsed.title or "imported rule"), "row", severity,
        str(parsed.description or parsed.title or "imported from Sigma"), about, where=where,
        by=_by(parsed, about, importer), references=tuple(map(str, parsed.references or ())),
        attack=tuple(tag[7:].upper() for tag in tags if re.fullmatch(r"attack\.t[0-9.]+", tag)),
        origin=origin,
    )  # fmt: skip


def _identifier(parsed: Any, origin: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", str(parsed.name or parsed.title or "").lower()).strip("-")
    words = "-".join(name.split("-")[:8])
    if not words or not words[0].isalpha():
        raise SigmaError("has no title that could name it", path=origin)
    return words


def _about(parsed: Any, origin: str) -> Kind:
    source = parsed.logsource
    for kind, wanted in LOGSOURCES.items():
        if source.category == wanted["category"]:
            return kind
    if source.product in ("m365", "microsoft365") or source.service == "exchange":
        return "mail"
    if source.product == "azure" and source.service == "signinlogs":
        return "signin"
    raise SigmaError(
        f"is about a log that we do not know: {source.product}, {source.category}, {source.service}",
        path=origin,
    )


def _by(parsed: Any, about: Kind, importer: _Importer) -> tuple[str, ...]:
    """What makes two findings one: the fields that the rule shows, as far as we have them."""
    shown = [importer.column(str(name)) for name in parsed.fields or ()]
    if shown:
        return tuple(dict.fromkeys(shown))
    return {"acceptance": ("iss", "client", "tenant"), "mail": ("tenant", "user", "app")}.get(
        about, ("tenant", "user", "app")
    )


class _Importer:
    """Takes the tree of a condition over."""

    def __init__(self, fields: dict[str, str], about: Kind, origin: str) -> None:
        self._fields, self._origin = fields, origin
        self._columns = {*columns(about), *(MAIL_FACTS if about == "mail" else {})}
        self._conditions = library("sigma.conditions", extra="sigma")
        self._types = library("sigma.types", extra="sigma")

    def column(self, field: str) -> str:
        """Our column for a field."""
        name = self._fields.get(field, field)
        if name not in self._columns:
            raise SigmaError(
                f"field {field[:64]!a}: we have no such column; name it by --field", path=self._origin
            )
        return name

    def take(self, tree: Any) -> Condition:
        """A part of the tree."""
        kinds = self._conditions
        if isinstance(tree, kinds.ConditionAND):
            return Every(tuple(self.take(one) for one in tree.args))
        if isinstance(tree, kinds.ConditionOR):
            return Some(tuple(self.take(one) for one in tree.args))
        if isinstance(tree, kinds.ConditionNOT):
            return Not(self.take(tree.args[0]))
        if isinstance(tree, kinds.ConditionFieldEqualsValueExpression):
            return self._field(self.column(tree.field), tree.value)
        raise SigmaError(
            f"says what we cannot: {type(tree).__name__} (keywords, correlations)", path=self._origin
        )

    def _field(self, name: str, value: Any) -> Condition:
        types = self._types
        if isinstance(value, types.SigmaCasedString):
            raise SigmaError(f"{name}: our texts have no case (cased)", path=self._origin)
        if isinstance(value, types.SigmaString):
            return self._string(name, value)
        if isinstance(value, types.SigmaNumber):
            number = value.number  # codes of errors are texts with us
            return Field(name, "is", (str(number) if sort_of(name) == "text" else number,))
        if isinstance(value, types.SigmaBool):
            return Field(name, "is", (value.boolean,))
        if isinstance(value, types.SigmaNull):
            return Field(name, "missing", (True,))
        if isinstance(value, types.SigmaExists):
            return Field(name, "missing", (not value.exists,))
        if isinstance(value, types.SigmaRegularExpression):
            return Field(name, "matches", (str(value.regexp),))
        if isinstance(value, types.SigmaCompareExpression):
            word = value.op.name
            if word in ("GT", "LT"):
                return Field(name, "above" if word == "GT" else "below", (value.number.number,))
        raise SigmaError(f"{name}: a test that we do not have ({type(value).__name__})", path=self._origin)

    def _string(self, name: str, value: Any) -> Condition:
        """A text with wildcards: at its ends, or nowhere, or as a regular expression."""
        parts = list(value.s)
        plain = [one for one in parts if isinstance(one, str)]
        many = self._types.SpecialChars.WILDCARD_MULTI
        if len(plain) == len(parts):
            return Field(name, "is", ("".join(plain),))
        if len(plain) == 1 and all(isinstance(one, str) or one is many for one in parts):
            first, last = parts[0] is many, parts[-1] is many
            test = "contains" if first and last else "ends" if first else "starts"
            return Field(name, test, (plain[0],))  # type: ignore[arg-type]
        if parts == [many]:
            return Field(name, "missing", (False,))
        pattern = "".join(
            re.escape(one) if isinstance(one, str) else ".*" if one is many else "." for one in parts
        )
        return Field(name, "matches", (f"^{pattern}$",))
