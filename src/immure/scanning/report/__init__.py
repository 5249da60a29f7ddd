"""Reports: one scan, written for a person (terminal, HTML) or for a program (JSON, SARIF)."""
