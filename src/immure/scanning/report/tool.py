"""What program made a report."""

from __future__ import annotations

from functools import cache

NAME = "immure"


@cache
def version() -> str:
    """The installed version of Immure."""
    # costs some 20 ms, which a mere --help need not pay
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    try:
        return installed_version(NAME)
    except PackageNotFoundError:  # run from a copy of the source: no reason to lose a report
        return "(not installed)"
