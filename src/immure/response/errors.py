"""What can go wrong while an incident is answered.

>>> str(IncidentError("holds no incident", path="incident"))
'incident: holds no incident'
"""

from __future__ import annotations

from immure.errors import ImmureError, InputError, UsageError


class ResponseError(ImmureError):
    """A step of the response could not be carried out (exit code 3)."""

    code = "response"


class IncidentError(ResponseError, InputError):
    """An incident's record cannot be read or written, or is not what its log says."""

    code = "response-incident"


class FormError(ResponseError, UsageError):
    """What should go into the record cannot be so: an unknown kind, a long text, no such entry."""

    code = "response-form"


class ConflictError(FormError):
    """It contradicts what was written before, and does not say that it corrects it."""

    code = "response-conflict"


class RoleError(FormError):
    """The person does not have the role that this needs."""

    code = "response-role"


class BusyError(ResponseError):
    """Another process does the same work on the same incident at this moment."""

    code = "response-busy"


class EvidenceError(ResponseError):
    """A piece of evidence cannot be collected, or is not what it was when it was collected."""

    code = "response-evidence"


class TimestampError(EvidenceError, InputError):
    """A timestamp (RFC 3161) cannot be had, or does not hold."""

    code = "response-timestamp"


class BundleError(ResponseError, InputError):
    """A bundle is not what it claims to be."""

    code = "response-bundle"


class RadiusError(ResponseError, InputError):
    """The blast radius cannot be worked out, or a file that should hold one does not."""

    code = "response-radius"
