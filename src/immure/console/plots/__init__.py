"""Plots: inline SVG, made on the server; beside each of them the page has a table that says the same."""
