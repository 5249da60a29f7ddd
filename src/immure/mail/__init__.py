"""A real mail server as a relying party: its configuration, its check, and the log of who read what."""
