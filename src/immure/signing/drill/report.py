"""What a drill found: for each backend, process and way a row of counts, and the verdict.

>>> row = Row("keyholder", "front end", "segv", "as shipped", must_be_clean=True)
>>> row.count(None), row.crashes, row.images
(None, 1, 0)
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from immure.clock import now, to_rfc3339
from immure.signing.drill.looking import Residue

SCHEMA_ID: Final = "https://immure.example/schemas/signer-drill-1.json"
Part = Literal["front end", "holder", "redactor", "token", "files"]
_MOST_KINDS: Final = 12
#: Of the table: what it is in JSON, and how it is headed.
_COLUMNS: Final = {
    "backend": "backend", "part": "process", "way": "way", "guards": "guards", "crashes": "crashes",
    "images": "images", "leaky_images": "images with residue", "numbers": "whole numbers",
    "fragments": "pieces",
}  # fmt: skip


@dataclass
class Row:
    """One kind of image of one backend.

    Attributes:
        backend, part, way, guards: which: ``guards`` is ``as shipped``, or ``off`` for a service that may be
            dumped.
        must_be_clean: whether residue is a failure.
        crashes: how many there were; ``images`` how many left one.
        numbers, fragments: sums over all images; ``leaky`` how many images had any.
        notes: why there was no image, and how often.
        moments: when, and how often.
    """

    backend: str
    part: Part
    way: str
    guards: str
    must_be_clean: bool
    crashes: int = 0
    images: int = 0
    leaky: int = 0
    numbers: int = 0
    fragments: int = 0
    bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, residue: Residue | None, *, moment: str = "load", note: str = "") -> None:
        """One crash more, and what was in its image, if there was one; any thread may say so."""
        with self._lock:
            self._count(residue, moment, note)

    def _count(self, residue: Residue | None, moment: str, note: str) -> None:
        self.crashes += 1
        self.moments[moment] += 1
        if residue is None:
            self.notes[note] += 1
            return
        self.images += 1
        self.leaky += not residue.is_clean
        self.numbers += residue.numbers
        self.fragments += residue.fragments
        self.bytes += residue.size
        self.kinds.update(residue.kinds)
        if residue.error:
            self.errors[residue.error] += 1

    @property
    def is_leak(self) -> bool:
        """Whether something is left where nothing may be."""
        return self.must_be_clean and bool(self.numbers or self.fragments)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "backend": self.backend,
            "part": self.part,
            "way": self.way,
            "guards": self.guards,
            "must_be_clean": self.must_be_clean,
            "crashes": self.crashes,
            "images": self.images,
            "leaky_images": self.leaky,
            "numbers": self.numbers,
            "fragments": self.fragments,
            "bytes": self.bytes,
            "kinds": dict(self.kinds.most_common(_MOST_KINDS)),
            "no_image": dict(self.notes),
            "moments": dict(self.moments),
            "errors": dict(self.errors),
        }


@dataclass
class Report:
    """All rows, and what could not be done.

    Attributes:
        seed: with which the order, the moments and the pauses come out the same.
        skipped: why something was not tried, by backend or way.
        failed: what ended the drill of a backend before its time.
        controls: backends that must leak.
        retries: why something was done once more, and how often.
        strays: cores that nobody asked for: of a program of somebody else, or of a service by itself.
        began, kernel: when and where.
    """

    seed: int
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    controls: set[str] = field(default_factory=set)
    retries: Counter[str] = field(default_factory=Counter)
    strays: int = 0
    seconds: float = 0.0
    tokens: int = 0
    began: str = field(default_factory=lambda: to_rfc3339(now().replace(microsecond=0)))
    kernel: str = field(default_factory=lambda: os.uname().release)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def again(self, reason: str) -> None:
        """Something had to be done once more."""
        with self._lock:
            self.retries[reason] += 1

    def gave(self, tokens: int) -> None:
        """A service gave out so many tokens while it was drilled."""
        with self._lock:
            self.tokens += tokens

    def row(self, backend: str, part: Part, way: str, guards: str, must_be_clean: bool) -> Row:
        """The row of that name."""
        with self._lock:
            for row in self.rows:
                if (row.backend, row.part, row.way, row.guards) == (backend, part, way, guards):
                    return row
            made = Row(backend, part, way, guards, must_be_clean)
            self.rows.append(made)
            return made

    @property
    def crashes(self) -> int:
        """Of all backends; what a service wrote while it ran is no crash."""
        return sum(row.crashes for row in self.rows if row.part != "files")

    @property
    def ordered(self) -> list[Row]:
        """All rows: by backend, process, guards and way."""
        return sorted(self.rows, key=lambda row: (row.backend, row.part, row.guards != "as shipped", row.way))

    @property
    def leaks(self) -> list[Row]:
        """Rows that are failures."""
        return [row for row in self.rows if row.is_leak]

    @property
    def blind(self) -> list[str]:
        """Backends that must leak, and of which nothing was seen, or no core came: the drill sees nothing."""
        numbers = {row.backend for row in self.rows if row.numbers}
        pieces = {row.backend for row in self.rows if row.fragments}
        cores = [row for row in self.rows if row.guards == "off" and row.way in ("segv", "abrt")]
        coreless = {row.backend for row in cores} - {row.backend for row in cores if row.images}
        return sorted(self.controls - (numbers & pieces) | self.controls & coreless)

    @property
    def is_complete(self) -> bool:
        """Whether everything was tried, and every image searched."""
        searched = not any(row.errors for row in self.rows if row.must_be_clean)
        return searched and not self.failed and bool(self.crashes) and bool(self.controls)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema": SCHEMA_ID,
            "began": self.began,
            "kernel": self.kernel,
            "seed": self.seed,
            "crashes": self.crashes,
            "images": sum(row.images for row in self.rows),
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "leaks": len(self.leaks),
            "blind": self.blind,
            "complete": self.is_complete,
            "retries": dict(self.retries),
            "strays": self.strays,
            "skipped": self.skipped,
            "failed": self.failed,
            "rows": [row.to_json() for row in self.ordered],
        }


def merged(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of several reports (as JSON has them), those of one name added up."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for report in reports:
        for row in report["rows"]:
            name = tuple(str(row[key]) for key in ("backend", "part", "way", "guards"))
            kept = rows.setdefault(name, {**row, **{k: type(v)() for k, v in row.items() if _adds(v)}})
            for key, value in row.items():
                if isinstance(value, dict):
                    kept[key] = dict(Counter(kept[key]) + Counter(value))
                elif _adds(value):
                    kept[key] += value
    return list(rows.values())


def _adds(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, int) and not isinstance(value, bool))


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of residues, from rows as JSON has them."""
    lines = ["| " + " | ".join(_COLUMNS.values()) + " |", "|" + "---|" * len(_COLUMNS)]
    for row in rows:
        cells = [f"{row[key]:,}" if isinstance(row[key], int) else f"{row[key]}" for key in _COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
