"""Immure: signing keys stay inside the walls."""
