"""Targets: one small class for each kind."""
