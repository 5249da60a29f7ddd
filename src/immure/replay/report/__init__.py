"""What came of a replay, for people and machines."""
