"""Engines, by name."""

from __future__ import annotations

from immure.fleet.engines.named import open_engine
from immure.fleet.engines.options import EngineOptions

__all__ = ["EngineOptions", "open_engine"]
