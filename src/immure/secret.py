"""Bytes and numbers that must not be printed.

>>> Secret(b"hunter2")
Secret(7 bytes)
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T", bytes, int)


class Secret(Generic[T]):
    """Wraps a secret value so that ``repr``, ``str``, ``format``, pickling and tracebacks never show it.

    Comparison and hashing are refused: comparing secrets by ``==`` is almost always a mistake.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: T) -> None:
        self._value: T = value

    def reveal(self) -> T:
        """The value itself. Call it where it is used, never store the result."""
        return self._value

    def __repr__(self) -> str:
        if isinstance(self._value, bytes):
            return f"Secret({len(self._value)} bytes)"
        return f"Secret({self._value.bit_length()}-bit number)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are not compared")

    def __reduce__(self) -> str:
        raise TypeError("secrets are not pickled")
