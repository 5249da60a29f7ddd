"""Tokens at the door of web frameworks: thin, with the same verbs everywhere (protect, claims, scopes)."""
