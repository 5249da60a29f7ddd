"""What can go wrong while a key is contained."""

from __future__ import annotations

from immure.errors import UsageError
from immure.response.errors import ResponseError


class ContainmentError(ResponseError):
    """A step could not be carried out; it is asked for again by the next run."""

    code = "containment"


class ContainmentSettingsError(ResponseError, UsageError):
    """The settings of a containment cannot be read, or contradict one another."""

    code = "containment-settings"


class UnknownKeyOfIncidentError(ResponseError, UsageError):
    """The registry does not have the key that the incident names: nothing is done about a wrong name."""

    code = "containment-key"


class PublishError(ResponseError):
    """The deny-list cannot be signed or written."""

    code = "containment-deny-list"
