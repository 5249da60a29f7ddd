"""How Sphinx builds the site; `make docs` runs it. No page fetches anything from another origin."""

project = "Immure"
author = "The Immure authors"
copyright = "The Immure authors, Apache-2.0"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Immure"
html_copy_source = False
html_show_sourcelink = False
suppress_warnings = ["misc.highlighting_failure"]  # output of commands is no program in any language
