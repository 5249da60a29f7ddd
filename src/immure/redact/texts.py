"""Finds the texts of :mod:`immure.redact.rules` in chunks."""

from __future__ import annotations

from collections.abc import Sequence

from immure.keymaterial.structures.text_keys import narrow
from immure.redact.rules import BACK, REACH, TextRule
from immure.redact.span import Span
from immure.scanning.chunks import Chunk
from immure.scanning.kernels.strings import Anchors
from immure.scanning.kernels.workspace import Workspace


class TextEraser:
    """Finds texts by rules; used by all threads."""

    def __init__(self, rules: Sequence[TextRule]) -> None:
        self._needles: list[tuple[TextRule, bool]] = []
        literals: list[bytes] = []
        for rule in rules:
            for literal in rule.literals:
                for wide in (False, True):
                    text = b"".join(bytes((c, 0)) for c in literal) if wide else literal
                    literals.append(text)
                    self._needles.append((rule, wide))
        self._anchors = Anchors(literals)

    def examine(self, space: Workspace, chunk: Chunk) -> list[Span]:
        """Spans of texts whose literal stands in the chunk's core; the chunk is in the workspace."""
        base, spans = chunk.read_start, []
        skip = dict.fromkeys((rule.kind for rule, _ in self._needles), -1)
        for at, index in self._anchors.find_between(space, chunk.start - base, chunk.stop - base):
            rule, wide = self._needles[index]
            if at < skip[rule.kind]:  # within what the rule has erased already
                continue
            found = _find(rule, space.buffer, at, chunk.read_stop - base, wide)
            if found is not None:
                skip[rule.kind] = found[1]
                start = base + found[0]
                encoding = "utf16le" if wide else "ascii"
                spans.append(Span(start, found[1] - found[0], rule.kind, encoding))
        return spans


def _find(rule: TextRule, buffer: bytearray, at: int, length: int, wide: bool) -> tuple[int, int] | None:
    """Where the secret stands in the buffer."""
    if not wide:
        begin = max(0, at - BACK)
        found = rule.find(bytes(buffer[begin : min(length, at + REACH)]), at - begin)
        return (begin + found[0], begin + found[1]) if found else None
    begin = max(at & 1, at - 2 * BACK)
    low, first = narrow(bytes(buffer[begin:at]), last=True)
    tail, _ = narrow(bytes(buffer[at : min(length, at + REACH)]))
    found = rule.find(low + tail, len(low))
    return (begin + first + 2 * found[0], begin + first + 2 * found[1]) if found else None
