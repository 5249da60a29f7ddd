"""A server for relying parties that are not Python: introspection (RFC 7662) and forward authentication."""
