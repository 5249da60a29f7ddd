"""Advisory: what the public is told, in versions that own up to what they correct."""
