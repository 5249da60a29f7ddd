"""Logs as foreign systems write them, made from one plain description, for tests and scenarios.

The shapes are of the documentation of their makers; no value is from a real log. The same seed gives the same
bytes.
"""
