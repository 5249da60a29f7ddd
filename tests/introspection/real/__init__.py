"""Relying parties that others wrote, started for the test, ask a real introspection server."""
