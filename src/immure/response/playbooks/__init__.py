"""Playbooks: documents that say what is done about a finding, in which order, and by whom."""
