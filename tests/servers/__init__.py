"""Starts real programs for the tests, each in a directory of its own and on a free port, and stops them."""
