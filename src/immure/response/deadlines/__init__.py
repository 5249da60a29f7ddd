"""Deadlines of regulators and customers, counted down from an entry of the timeline."""
