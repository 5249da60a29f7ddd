"""Inner loops: ``cpu`` runs the native ones, ``reference`` has their slow and plain twins."""
