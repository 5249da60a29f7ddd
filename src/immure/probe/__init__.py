"""Sends forged and misused test tokens to a relying party of one's own, and tells which were let in."""
