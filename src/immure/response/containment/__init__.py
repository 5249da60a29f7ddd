"""Stopping a key everywhere: step by step, each of which may come again, and changes nothing then."""
