"""Reports of what was found."""
