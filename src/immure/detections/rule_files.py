"""Rules as files of YAML: those that come with Immure, and those of the user.

A file holds one rule, or several as documents behind one another. YAML is read by the safe loader, without
aliases: nothing is made by it but texts, numbers, lists and tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from immure.detections.errors import RuleError
from immure.detections.libraries import library
from immure.detections.rule import Rule, rule_from

#: Bytes of the longest file, and rules of all files together.
MOST_BYTES: Final = 1 << 20
MOST_RULES: Final = 1000
SUFFIXES: Final = (".yaml", ".yml")


def built_in() -> list[Rule]:
    """The rules that come with Immure."""
    folder = files("immure.detections").joinpath("rules")
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(SUFFIXES))
    made = [rule for name in names for rule in parse(folder.joinpath(name).read_bytes(), name)]
    return _distinct(made)


def read_rules(paths: Iterable[str | Path]) -> list[Rule]:
    """Rules of files, and of all files in directories.

    Raises:
        RuleError: one cannot be read or understood, or two have one id.
    """
    made: list[Rule] = []
    for path in map(Path, paths):
        found = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES) if path.is_dir() else [path]
        for one in found:
            made += parse(_read(one), str(one))
    return _distinct(made)


def all_rules(paths: Iterable[str | Path]) -> list[Rule]:
    """The rules that come with Immure, and those of files and directories; raises RuleError."""
    return _distinct([*built_in(), *read_rules(paths)])


def parse(data: bytes, origin: str) -> list[Rule]:
    """The rules of a file; raises RuleError."""
    return [rule_from(plain, origin) for plain in documents(data, origin) if plain is not None]


def documents(data: bytes, origin: str) -> list[Any]:
    """The documents of a file of YAML.

    Raises:
        RuleError: it is none, is too long, or has aliases in it.
    """
    yaml = library("yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where it is built in
    if len(data) > MOST_BYTES:
        raise RuleError(f"more than {MOST_BYTES} bytes", path=origin)
    try:
        for token in yaml.scan(data, Loader=loader):
            if isinstance(token, yaml.AliasToken):
                raise RuleError("has an alias in it, which is not taken", path=origin)
        return list(yaml.load_all(data, Loader=loader))
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        words = " ".join(str(error).split())[:200]
        raise RuleError(f"is no YAML: {words}", path=origin) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise RuleError(f"cannot be read: {words}", path=str(path)) from error


def _distinct(rules: list[Rule]) -> list[Rule]:
    if len(rules) > MOST_RULES:
        raise RuleError(f"more than {MOST_RULES} rules")
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in seen:
            raise RuleError(f"there is another rule {rule.id!a}", path=rule.origin)
        seen[rule.id] = rule
    return rules
