"""Letters out of templates (Jinja2), in a sandbox.

A folder of templates holds a folder for each language, with ``subject.j2``, ``letter.txt.j2`` and
``letter.html.j2``; what a user's folder does not have is taken from ours. A template sees plain values only:
texts, numbers, lists and objects of these, and of every text that comes from a log each character that could
move a cursor or hide is spelled out. A name that does not exist is an error and not an empty place.

The sandbox keeps templates from reaching anything else of the program. It bounds what they write, not how
long they compute: whoever may write templates may also write letters, and is trusted with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from immure.response.errors import ResponseError
from immure.response.notification.errors import LetterTemplateError
from immure.scanning.report.words import visible
from immure.toml_file import read_bounded

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

NAMES: Final = ("subject.j2", "letter.txt.j2", "letter.html.j2")
#: Characters of the longest template, letter and subject.
MOST_TEMPLATE: Final = 256 << 10
MOST_LETTER: Final = 2 << 20
MOST_SUBJECT: Final = 300
_MOST_REPEATED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, filled in: a line, a text and a page."""

    subject: str
    plain: str
    html: str


class Templates:
    """The templates of one run.

    Args:
        folder: of the user; None if there are only ours.

    Raises:
        LetterTemplateError: the folder is none.
        ResponseError: Jinja2 is not installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise LetterTemplateError("no folder of templates", path=str(folder))
        self._folder = folder
        self._environment = _environment()
        self._compiled: dict[tuple[str, str], tuple[Template, str]] = {}

    def languages(self) -> list[str]:
        """Languages for which there is anything."""
        places = [Path(str(_OURS)), *([] if self._folder is None else [self._folder])]
        return sorted({one.name for place in places for one in place.iterdir() if one.is_dir()})

    def fill_in(self, language: str, values: Mapping[str, Any]) -> Letter:
        """The letter in a language.

        Args:
            language: whose templates are used.
            values: what the templates see; made visible here.

        Raises:
            LetterTemplateError: there is no such template, or it cannot be filled in.
        """
        shown = _shown(values)
        subject, plain, html = (self._filled(language, name, shown) for name in NAMES)
        subject = subject.strip()
        if not subject or len(subject) > MOST_SUBJECT or not subject.isprintable():
            place = self._source(language, NAMES[0])[1]
            raise LetterTemplateError(f"a subject is a line of up to {MOST_SUBJECT} characters", path=place)
        return Letter(subject, plain.strip() + "\n", html.strip() + "\n")

    def _filled(self, language: str, name: str, values: Mapping[str, Any]) -> str:
        if (language, name) not in self._compiled:
            self._compiled[language, name] = self._compile(language, name)
        template, place = self._compiled[language, name]
        try:
            return _bounded(template.generate(values))
        except Exception as error:  # a template is foreign code: what it raises is for its writer to read
            raise _explained(error, place) from error

    def _compile(self, language: str, name: str) -> tuple[Template, str]:
        text, place = self._source(language, name)
        try:
            return self._environment.overlay(autoescape=name.endswith(".html.j2")).from_string(text), place
        except Exception as error:  # also its parser: it recurses, and may give up in many ways
            raise _explained(error, place) from error

    def _source(self, language: str, name: str) -> tuple[str, str]:
        """A template's text, and where it is."""
        if self._folder is not None:
            path = self._folder / language / name
            if path.exists():
                return _read(path), str(path)
        ours = _OURS.joinpath(language, name)
        if not ours.is_file():
            known = ", ".join(self.languages())
            raise LetterTemplateError(f"no {name} for the language {language}; there are {known}")
        return ours.read_text(encoding="utf-8"), f"{language}/{name}"


_OURS: Final = files("immure.response.notification").joinpath("templates")


class _TooLongError(Exception):
    """A letter without an end."""


def _bounded(parts: Iterable[str]) -> str:
    kept, length = [], 0
    for part in parts:
        kept.append(part)
        length += len(part)
        if length > MOST_LETTER:
            raise _TooLongError(f"more than {MOST_LETTER:,} characters")
    return "".join(kept)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    try:
        from jinja2 import StrictUndefined
        from jinja2.exceptions import SecurityError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise ResponseError("letters need Jinja2: pip install 'immure[respond]'") from error

    class Environment(ImmutableSandboxedEnvironment):
        """Ours, in which nothing is repeated without a bound."""

        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            numbers = isinstance(left, int) and isinstance(right, int)
            if operator == "**" or (operator == "%" and not numbers):
                raise SecurityError(f"the operator {operator} is not there for that")
            if operator == "*" and not numbers:
                count = left if isinstance(left, int) else right
                if isinstance(count, int) and count > _MOST_REPEATED:
                    raise SecurityError(f"repeated more than {_MOST_REPEATED} times")
            return super().call_binop(context, operator, left, right)

    return Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


def _read(path: Path) -> str:
    name, data = read_bounded(path, MOST_TEMPLATE, LetterTemplateError)
    if len(data) > MOST_TEMPLATE:
        raise LetterTemplateError(f"longer than {MOST_TEMPLATE} bytes", path=name)
    try:
        return data.decode("utf-8")
    except ValueError as error:
        raise LetterTemplateError("cannot be read: no UTF-8", path=name) from error


def _explained(error: Exception, place: str) -> LetterTemplateError:
    line = _line_of(error)
    words = " ".join(str(error).split())[:300] or type(error).__name__
    where = "" if line is None else f"line {line}: "
    return LetterTemplateError(f"{where}{visible(words)}", path=place)


def _line_of(error: BaseException) -> int | None:
    """The line of the template at which it broke off: Jinja rewrites tracebacks so that they have it."""
    line = getattr(error, "lineno", None)
    if isinstance(line, int):
        return line
    trace, found = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _shown(value: Any) -> Any:
    """``value`` with every text in it made visible; names of members are ours."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(one) for one in value]
    return value
