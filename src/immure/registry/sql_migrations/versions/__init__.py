"""One file for each layout. Never changed once released."""
