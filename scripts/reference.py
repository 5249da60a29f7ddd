"""Writes the part of the reference that is made from the code: every ``--help``, and the library's names.

    python scripts/reference.py docs/reference/generated

The library's names are those in a package's ``__all__``, and whatever a program in the documentation imports.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(r"^ *from (immure[\w.]*) import (\([^)]*\)|[^\n(]+)", re.MULTILINE)
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
_ROLE = re.compile(r":\w+:`~?\.*([^`]+)`")
_WIDTH = 100


def main() -> int:
    """Write the pages; the argument is their directory."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    (place / "commands.md").write_text("\n".join(commands_page()), encoding="utf-8")
    (place / "names.md").write_text("\n".join(names_page()), encoding="utf-8")
    return 0


# --- commands ---


def commands_page() -> Iterator[str]:
    """What each command says of itself."""
    from immure.cli.main import cli

    yield "# Every `--help`\n"
    yield "What each command prints when it is asked. [The reference](../cli.md) has more to say of them.\n"
    for words, command, context in _walk(cli, ("immure",), None):
        yield f"## `{' '.join(words)}`\n"
        yield f"```text\n{command.get_help(context).rstrip()}\n```\n"


def _walk(
    command: click.Command, words: tuple[str, ...], above: click.Context | None
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    context = click.Context(command, info_name=words[-1], parent=above, max_content_width=_WIDTH)
    context.terminal_width = _WIDTH
    yield words, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            if one is not None and not one.hidden:
                yield from _walk(one, (*words, name), context)


# --- names ---


def names_page() -> Iterator[str]:
    """The library's names, by module."""
    yield "# Names of the library\n"
    yield "With what their code says of them. [Library](../library.md) is the page to begin with.\n"
    for module, names in sorted(public_names().items()):
        yield f"## `{module}`\n"
        loaded = importlib.import_module(module)
        yield from _paragraphs(inspect.getdoc(loaded) or "")
        for name in sorted(names):
            yield from _entry(name, getattr(loaded, name))


def public_names() -> dict[str, set[str]]:
    """Names by module."""
    found: dict[str, set[str]] = defaultdict(set)
    for init in sorted((ROOT / "src" / "immure").glob("**/__init__.py")):
        module = ".".join(init.parent.relative_to(ROOT / "src").parts)
        text = init.read_text(encoding="utf-8")
        if "\n__all__ = " in text:
            found[module] |= set(importlib.import_module(module).__all__)
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            for module, names in _IMPORT.findall(block):
                words = names.strip("()").replace("\n", " ").split(",")
                found[module] |= {word.split(" as ")[0].strip() for word in words if word.strip()}
    return {module: {name for name in names if not name.startswith("_")} for module, names in found.items()}


def _entry(name: str, value: object) -> Iterator[str]:
    if inspect.ismodule(value):
        return
    if not (inspect.isclass(value) or callable(value)):
        yield f"### `{name}`\n"
        return
    yield f"### `{name}`\n"
    yield f"```python\n{_signature(name, value)}\n```\n"
    yield from _paragraphs(inspect.getdoc(value) or "")
    if inspect.isclass(value) and value.__module__.startswith("immure"):
        for attribute, member in sorted(vars(value).items()):
            plain = inspect.unwrap(getattr(member, "__func__", member))
            if attribute.startswith("_") or not inspect.isfunction(plain):
                continue
            yield f"```python\n{_signature(attribute, plain)}\n```\n"
            yield from _paragraphs(inspect.getdoc(plain) or "")


class _Bare(str):
    """An annotation as it is written, without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _signature(name: str, value: object) -> str:
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return name
    parameters = [one.replace(annotation=_bare(one.annotation)) for one in signature.parameters.values()]
    shown = signature.replace(parameters=parameters, return_annotation=_bare(signature.return_annotation))
    return f"{name}{shown}"


def _bare(annotation: object) -> object:
    return _Bare(annotation) if isinstance(annotation, str) else annotation


def _paragraphs(text: str) -> Iterator[str]:
    """A docstring as Markdown: sections become lists, examples stay as they are."""
    lines: list[str] = []
    for line in text.splitlines():
        if section := _SECTION.match(line):
            lines += ["", f"**{section[1]}**", ""]
        elif re.match(r" {4}\w[\w, *`.]*: ", line):
            lines.append(f"- {_plain(line.strip())}")
        elif line.startswith("        "):
            lines.append(f"  {_plain(line.strip())}")
        else:
            lines.append(_plain(line) if not line.startswith(("    ", ">>>", "...")) else f"    {line}")
    if lines:
        yield "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return _ROLE.sub(r"`\1`", text).replace("``", "`").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main())
