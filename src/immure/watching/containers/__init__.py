"""Files that hold other files, and are no archives that the parsers of images open themselves."""
