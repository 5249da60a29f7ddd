"""Engines, by name."""

from __future__ import annotations

from immure.fleet.engines.named import EngineOptions, open_engine

__all__ = ["EngineOptions", "open_engine"]
