"""Why the key holder says no, each with a stable short code.

>>> error_from("holder-issuer", "key 'c1' may not sign for 'https://enterprise.example'").code
'holder-issuer'
"""

from __future__ import annotations

from typing import Final

from immure.errors import SignerError


class HolderError(SignerError):
    """The key holder cannot do what it was asked to; ``code`` says why."""

    code = "holder"


class HolderGoneError(HolderError):
    """The key holder does not answer: it is dead, or wedged. Nothing was signed that anybody was given."""

    code = "holder-gone"


class HolderBusyError(HolderError):
    """Another process holds this key file."""

    code = "holder-busy"


class HolderPinError(HolderError):
    """Wrong PIN, or the file was altered: which of them is not said."""

    code = "holder-pin"


class HolderFileError(HolderError):
    """The key file cannot be read or written, or is none."""

    code = "holder-file"


class HolderRequestError(HolderError):
    """A message that the holder does not understand."""

    code = "holder-request"


class HolderRoleError(HolderError):
    """The holder was not started for this kind of request."""

    code = "holder-role"


class HolderKeyError(HolderError):
    """There is no such key, or there is one already."""

    code = "holder-key"


class HolderFaultError(HolderError):
    """The native half failed: no memory, or a signature that did not hold."""

    code = "holder-fault"


class RefusedToSignError(HolderError):
    """The key may not sign this; the key was not touched."""

    code = "holder-refused"


class RefusedStateError(RefusedToSignError):
    """The key is not active, or its time has not come or is over."""

    code = "holder-state"


class RefusedQuotaError(RefusedToSignError):
    """The key has signed as often as it may."""

    code = "holder-quota"


class RefusedPurposeError(RefusedToSignError):
    """The key was not made for this purpose, or the message is none of it."""

    code = "holder-purpose"


class RefusedFormError(RefusedToSignError):
    """What is to be signed is no header and claims that can be read in one way only."""

    code = "holder-form"


class RefusedHeaderError(RefusedToSignError):
    """The header names another key or algorithm, or brings what it must not."""

    code = "holder-header"


class RefusedIssuerError(RefusedToSignError):
    """The key may not sign for this issuer: the incident's shape."""

    code = "holder-issuer"


class RefusedTenantError(RefusedToSignError):
    """The key may not sign for this tenant."""

    code = "holder-tenant"


class RefusedCloudError(RefusedToSignError):
    """The key may not sign for this cloud instance."""

    code = "holder-cloud"


class RefusedAudienceError(RefusedToSignError):
    """The key may not sign for this audience, or for audiences of its class."""

    code = "holder-audience"


class RefusedTimeError(RefusedToSignError):
    """``iat``, ``nbf`` or ``exp`` is missing, not about now, or beyond what the key may give."""

    code = "holder-time"


def _all(root: type[HolderError]) -> dict[str, type[HolderError]]:
    found: dict[str, type[HolderError]] = {root.code: root}
    for kind in root.__subclasses__():
        found |= _all(kind)
    return found


BY_CODE: Final[dict[str, type[HolderError]]] = _all(HolderError)


def error_from(code: str, reason: str, path: str | None = None) -> HolderError:
    """The error that a holder's answer stands for; of a code that is not known, a plain HolderError."""
    return BY_CODE.get(code, HolderError)(reason, path=path)
