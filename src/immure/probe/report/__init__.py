"""What a probe has seen, for people and for programs."""
