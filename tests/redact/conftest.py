"""What the tests of redaction have in common."""

from __future__ import annotations

from scanning.conftest import multiples_are_computed_once

__all__ = ["multiples_are_computed_once"]
