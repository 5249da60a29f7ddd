"""What can go wrong while an advisory is written."""

from __future__ import annotations

from immure.errors import RefusedError
from immure.response.errors import FormError


class DraftError(FormError):
    """The draft of an advisory cannot be read or understood."""

    code = "advisory-draft"


class RevisionError(RefusedError):
    """A new version would say something else than the last, and not say why (exit code 1)."""

    code = "advisory-revision"
