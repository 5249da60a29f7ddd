"""What goes wrong with a watch."""

from __future__ import annotations

from immure.errors import ImmureError, InputError, UsageError


class StateError(ImmureError):
    """The state cannot be read or written, or is none."""

    code = "watch-state"


class SourceError(InputError):
    """A target cannot be read, or not to its end."""

    code = "watch-source"


class RulesError(UsageError):
    """A file of suppressions, a baseline or a file of owners cannot be understood: then none of it holds."""

    code = "watch-rules"
