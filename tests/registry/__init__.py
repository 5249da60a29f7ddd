"""Tests of immure.registry."""
