from __future__ import annotations

from tests.custody.conftest import token

__all__ = ["token"]
