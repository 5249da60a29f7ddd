"""Tests of the introspection server."""
