"""What a deny-list refuses, and what is wrong with a deny-list itself.

>>> KeyDeniedError.code, TokenEpochError.code, DenyListRollbackError.code
('key-denied', 'token-epoch', 'deny-list-rollback')
"""

from __future__ import annotations

from immure.errors import KeySourceError
from immure.tokens.errors import TokenError

# --- tokens that a list refuses ---


class KeyDeniedError(TokenError):
    """The deny-list names the key: nothing that it signed is accepted, whatever the key set still says."""

    code = "key-denied"


class TokenEpochError(TokenError):
    """Issued before the time from which on tokens of the issuer count, or without a time (``iat``)."""

    code = "token-epoch"


# --- lists that are not taken ---


class DenyListError(KeySourceError):
    """The deny-list cannot be had, read or kept: there is no verdict on tokens."""

    code = "deny-list"


class DenyListFormError(DenyListError):
    """Not a deny-list of this version, or one of another name."""

    code = "deny-list-form"


class DenyListSignatureError(DenyListError):
    """Not signed by the key that was pinned."""

    code = "deny-list-signature"


class DenyListRollbackError(DenyListError):
    """Older than what is in force: somebody plays an old list back, or asks twice."""

    code = "deny-list-rollback"


class DenyListForkError(DenyListRollbackError):
    """Another list under the number of the one that is in force: its signer has signed two."""

    code = "deny-list-fork"


class DenyListStaleError(DenyListError):
    """The list has run out, or there never was one: what was burnt since is not known."""

    code = "deny-list-stale"
