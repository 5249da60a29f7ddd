"""What each key may sign for, and what state it is in."""
