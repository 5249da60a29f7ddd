"""Builds images with planted keys, to test the parsers and the scanner against; shares no code with either."""
