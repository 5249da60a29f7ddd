"""What a key is, and how its secret numbers are written."""
