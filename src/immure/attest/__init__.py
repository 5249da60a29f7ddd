"""Signed statements about dumps: the DSSE envelope, the in-toto Statement, and what a clearance says."""
