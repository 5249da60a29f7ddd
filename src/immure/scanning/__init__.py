"""Searching images for key material."""
