from __future__ import annotations

from custody.conftest import token

__all__ = ["token"]
