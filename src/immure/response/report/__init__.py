"""A blast radius for people: at a terminal, and as a page."""
