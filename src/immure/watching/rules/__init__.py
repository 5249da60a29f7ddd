"""What people say of places: who owns them, what is not to count there and for how long, what is known
already."""
