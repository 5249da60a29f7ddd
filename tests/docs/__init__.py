"""Runs the commands and programs that the documentation shows, and checks what it says of their output."""
