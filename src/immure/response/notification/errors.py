"""What can go wrong while tenants are told."""

from __future__ import annotations

from immure.errors import InputError, RefusedError
from immure.response.errors import FormError, ResponseError


class SettingsError(FormError):
    """The settings of the notification cannot be read or understood."""

    code = "notification-settings"


class LetterTemplateError(FormError):
    """A template cannot be filled in; names the file, the line and the reason."""

    code = "notification-template"


class LettersError(ResponseError, InputError):
    """Letters that were written down are gone, or are not what was written down."""

    code = "notification-letters"


class ApprovalError(RefusedError):
    """Not enough people have approved these very letters (exit code 1)."""

    code = "notification-approval"
