"""YARA rules of the user, by YARA-X (extra ``yara``): for what has no public half and no sketch, such as
credentials that are known by how they look.

A match is no proof: it says that bytes look like something. It is a finding of its own kind, ``rule``, and
the bytes that matched are never kept. Images are given to the rules whole up to 16 MiB, larger ones in
windows that overlap by one, so that conditions about the size of a file, or offsets in it, hold for small
images only."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from immure.dumps.dump import Image
from immure.dumps.limits import MIB
from immure.watching.credentials import CHECKS, NAMESPACE, as_yara
from immure.watching.errors import RulesError
from immure.watching.finding import MOST_OCCURRENCES, Hit, KnownKey, Spot, line_of
from immure.watching.item import Trouble
from immure.watching.rules.owners import read_text

_WINDOW: Final = 16 * MIB
_OVERLAP: Final = 1 * MIB
_MOST_BYTES: Final = 16 * MIB
#: Seconds for one window; matches of one pattern that are counted in it.
_PATIENCE: Final = 60
_MOST_MATCHES: Final = 1_000
_SUFFIXES: Final = (".yar", ".yara")


@dataclass(frozen=True)
class PatternRules:
    """Rules as texts. They are compiled by each thread that uses them.

    Attributes:
        sources: name of a file, which is the rules' namespace, and its text.
    """

    sources: tuple[tuple[str, str], ...]
    _local: threading.local = field(default_factory=threading.local, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Names the rules: another digest for other texts."""
        digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in self.sources).encode())
        return f"rules:{digest.hexdigest()[:32]}"

    def compile(self) -> Any:
        """The rules, compiled.

        Raises:
            RulesError: the package is missing, or a file is no YARA; the reason has its line.
        """
        try:
            yara_x: Any = import_module("yara_x")
        except ImportError as error:
            raise RulesError("YARA rules need the package yara-x: pip install 'immure[yara]'") from error
        compiler = yara_x.Compiler()
        compiler.enable_includes(False)
        for name, text in self.sources:
            try:
                compiler.new_namespace(name)
                compiler.add_source(text)
            except (yara_x.CompileError, ValueError) as error:
                words = " ".join(str(error).split())[:300]
                raise RulesError(f"is not understood by YARA-X: {words}", path=name) from error
        return compiler.build()

    def search(self, image: Image, inside: str) -> tuple[list[Hit], list[Trouble]]:
        """What matches in an image, and what could not be searched."""
        found: dict[str, _Matches] = {}
        troubles: list[Trouble] = []
        image.reader.wait()
        for start, data in _windows(image):
            try:
                results = self._scanner().scan(data)
            except import_module("yara_x").TimeoutError:
                troubles.append(Trouble(inside, f"YARA rules took more than {_PATIENCE} s", len(data)))
                continue
            for rule in results.matching_rules:
                matches = found.setdefault(f"{rule.namespace}:{rule.identifier}", _Matches(rule))
                matches.add(rule, start, data)
        hits = [matches.hit(name, inside) for name, matches in found.items() if matches.hold]
        return hits, troubles

    def _scanner(self) -> Any:
        if not hasattr(self._local, "scanner"):
            scanner = import_module("yara_x").Scanner(self.compile())
            scanner.set_timeout(_PATIENCE)
            scanner.max_matches_per_pattern(_MOST_MATCHES)
            self._local.scanner = scanner
        return self._local.scanner


class _Matches:
    """Matches of one rule in one image, those in two windows once."""

    def __init__(self, rule: Any) -> None:
        metadata = {name: value for name, value in rule.metadata if isinstance(value, str)}
        self._description = metadata.get("description", "")
        self._check = CHECKS.get(metadata.get("check", "")) if rule.namespace == NAMESPACE else None
        self._spots: dict[tuple[str, int], Spot] = {}

    @property
    def hold(self) -> bool:
        """Whether there is any that passed the check, if there is one. A condition may look at no string."""
        return self._check is None or bool(self._spots)

    def add(self, rule: Any, start: int, data: bytes) -> None:
        for pattern in rule.patterns:
            for match in pattern.matches:
                at = start + match.offset
                if self._check is not None and not self._check(
                    data[match.offset : match.offset + match.length]
                ):
                    continue
                if (pattern.identifier, at) not in self._spots:
                    line = line_of(data, 0, match.offset) if not start else None
                    spot = Spot(pattern.identifier, "rule", at, match.length, True, line)
                    self._spots[pattern.identifier, at] = spot

    def hit(self, name: str, inside: str) -> Hit:
        spots = sorted(self._spots.values(), key=lambda spot: spot.offset)
        words = f"the rule {name} matches" + (f": {self._description}" if self._description else "")
        key = KnownKey(f"rule:{name}", f"rule {name.rpartition(':')[2]}", "rule")
        return Hit(
            key, inside, "rule", words[:300], True, max(1, len(spots)), tuple(spots[:MOST_OCCURRENCES])
        )


def _windows(image: Image) -> Iterator[tuple[int, bytes]]:
    start, size = 0, image.reader.size or 0
    while start < size:
        data = image.reader.read(start, _WINDOW)
        if data:
            yield start, data
        if start + len(data) >= size:
            return
        start += _WINDOW - _OVERLAP


def read_rules(paths: Sequence[str | os.PathLike[str]], *, credentials: bool = False) -> PatternRules | None:
    """The rules of files, and of all ``.yar`` and ``.yara`` files in directories; with ``credentials`` those
    that come with Immure, too. None if there is neither.

    Raises:
        RulesError: one cannot be read or understood, or there is none.
    """
    files = [file for path in paths for file in _files(Path(path))]
    own = ((NAMESPACE, as_yara()),) if credentials else ()
    if not paths and not own:
        return None
    if paths and not files:
        raise RulesError("holds no .yar and no .yara file", path=os.fspath(paths[0]))
    rules = PatternRules(own + tuple((file.name, read_text(file, _MOST_BYTES)) for file in files))
    rules.compile()
    return rules


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
