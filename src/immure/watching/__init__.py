"""Watches over what is already there: directories, git repositories, object stores, container images.

A *source* says which *items* a target has, an item unfolds into images, and each image is scanned once for a
set of keys. What was scanned, and where keys were found, stands in a *state*; a new key makes an old scan
insufficient, and only then is content scanned again.
"""
