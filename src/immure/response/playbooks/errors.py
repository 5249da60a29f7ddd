"""What can be wrong with a playbook."""

from __future__ import annotations

from immure.errors import UsageError
from immure.response.errors import ResponseError


class PlaybookError(ResponseError, UsageError):
    """A playbook cannot be read or understood, or does not fit the incident."""

    code = "playbook"
