"""Security event tokens (RFC 8417), and streams of them (OpenID Shared Signals Framework 1.0)."""
