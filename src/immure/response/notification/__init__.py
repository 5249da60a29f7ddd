"""Notification: each affected tenant is told what is known, once, and told again when that was wrong."""
