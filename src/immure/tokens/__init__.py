"""Validating tokens, so that no key is accepted for what it may not sign (RFC 8725, section 3.8)."""
