"""Ways in which tokens are sent to a relying party: one class for each."""
