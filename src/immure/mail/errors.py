"""What may go wrong with a mail server and its logs."""

from __future__ import annotations

from immure.errors import ImmureError, InputError, UsageError


class MailSettingsError(UsageError):
    """The settings of a mail server cannot be read or understood."""

    code = "mail-settings"


class HandEditedError(UsageError):
    """A file that would be written has been changed by somebody else; nothing was written."""

    code = "mail-hand-edited"


class DovecotError(ImmureError):
    """Dovecot is not there, is too old, refuses its configuration, or does not come up."""

    code = "mail-dovecot"


class EventError(InputError):
    """A line that Dovecot's event exporter does not write."""

    code = "mail-event"


class AccessRowError(InputError):
    """A line of a mail-access log that its writer does not write."""

    code = "mail-access-row"


class FollowError(ImmureError):
    """The events cannot be followed: a checkpoint or a file that cannot be read or written."""

    code = "mail-follow"
