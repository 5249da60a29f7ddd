"""Tests of the replay: its data, its parts by themselves, and whole worlds."""
