"""What pages show, as the other rooms have it: functions that ask them, and values that pages render."""
