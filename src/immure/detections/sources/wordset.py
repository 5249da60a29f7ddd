"""Sets of words, written as a text.

>>> sorted(wordset("one two"))
['one', 'two']
"""

from __future__ import annotations


def wordset(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())
