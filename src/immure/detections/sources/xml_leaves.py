"""Leaves of a small XML document, without anything in it that XML can do to its reader.

>>> leaves("<A><B x='1'>one</B><B>two</B></A>")
[Leaf(name='B', attributes={'x': '1'}, text='one'), Leaf(name='B', attributes={}, text='two')]
>>> leaves("<!DOCTYPE A [<!ENTITY a 'aa'>]><A>&a;</A>")
Traceback (most recent call last):
...
immure.detections.sources.decoding.UndecodableError: XML with a document type
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.parsers import expat

from immure.detections.sources.decoding import NestingError, UndecodableError

_DEEPEST: Final = 64


class Leaf(NamedTuple):
    """An element without elements in it; names are without their prefix."""

    name: str
    attributes: dict[str, str]
    text: str


def leaves(document: str) -> list[Leaf]:
    """See the module.

    Raises:
        UndecodableError: it is no XML, or has a document type (and so might have entities).
        NestingError: it is nested too deep.
    """
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    text = document[document.find("?>") + 2 :] if document.lstrip().startswith("<?xml") else document
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise UndecodableError(f"is no XML: {error}") from None
    return reader.found


def _refuse(*_: object) -> None:
    raise UndecodableError("XML with a document type")


class _Reader:
    def __init__(self) -> None:
        self.found: list[Leaf] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._leaf = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise NestingError("is nested too deep")
        self._open.append((name.rpartition(":")[2], attributes, []))
        self._leaf = True

    def characters(self, text: str) -> None:
        self._open[-1][2].append(text)

    def end(self, name: str) -> None:
        short, attributes, texts = self._open.pop()
        if self._leaf:
            self.found.append(Leaf(short, attributes, "".join(texts).strip()))
        self._leaf = False
