"""Why a token is refused: one class and one stable code for each rule.

>>> ExpiredError.code
'token-expired'

All are :class:`TokenError`; nothing else comes out of a validator, except
:class:`~immure.errors.KeySourceError` (keys cannot be had now) and :class:`~immure.errors.PolicyError` (the
caller asked for what its policy does not know). Messages never quote a token.
"""

from __future__ import annotations

from immure.errors import InputError


class TokenError(InputError):
    """A token is refused."""

    code = "token"


# --- the form (RFC 7515, RFC 7519, RFC 8725) ---


class TokenSizeError(TokenError):
    """Longer than the policy takes; it was not looked into."""

    code = "token-size"


class TokenFormError(TokenError):
    """Not three parts of ASCII text with points between them."""

    code = "token-form"


class EncryptedTokenError(TokenFormError):
    """Five parts: an encrypted token (RFC 7516), which is not taken."""

    code = "token-encrypted"


class DetachedTokenError(TokenFormError):
    """The payload is not in the token (RFC 7515, appendix F; RFC 7797)."""

    code = "token-detached"


class Base64Error(TokenFormError):
    """Not base64url, padded, or with bits set that mean nothing (RFC 7515, section 2; RFC 4648, 3.5)."""

    code = "token-base64"


class JsonError(TokenFormError):
    """Not a JSON object in UTF-8, or with NaN, an infinity or a broken character in it."""

    code = "token-json"


class DuplicateMemberError(JsonError):
    """An object names a member twice, so that two readers may see two meanings (RFC 8725, section 2.4)."""

    code = "token-duplicate-member"


class HeaderError(TokenError):
    """A header parameter has the wrong type."""

    code = "token-header"


class EmbeddedKeyError(HeaderError):
    """The header brings, or points to, a key of its own: ``jwk``, ``jku``, ``x5u`` or ``x5c``."""

    code = "token-embedded-key"


class CriticalError(HeaderError):
    """``crit`` names an extension that we do not know, or is malformed (RFC 7515, section 4.1.11)."""

    code = "token-crit"


class TokenTypeError(HeaderError):
    """``typ`` is not what the policy asks for (RFC 8725, section 3.11; RFC 9068)."""

    code = "token-typ"


class AlgorithmError(TokenError):
    """``alg`` is none, unknown, symmetric, or not what the key or the policy allows."""

    code = "token-alg"


# --- the signature and its key ---


class SignatureError(TokenError):
    """The signature does not hold."""

    code = "token-signature"


class UnknownKeyError(TokenError):
    """The issuer's source has no such key, or the token does not say which of several it means."""

    code = "key-unknown"


class DuplicateKeyError(TokenError):
    """Two keys of one source have the same id."""

    code = "key-duplicate"


class WeakKeyError(TokenError):
    """Too short, with too small an exponent, or made by a generator that is known to be broken."""

    code = "key-weak"


class KeyUseError(TokenError):
    """The key is not for verifying signatures (``use``, ``key_ops``; RFC 7517, sections 4.2 and 4.3)."""

    code = "key-use"


class KeyStateError(TokenError):
    """The key is suspended, compromised, destroyed or not active yet."""

    code = "key-state"


class KeyWindowError(TokenError):
    """Now, or when the token was issued, the key was not valid."""

    code = "key-window"


class UnscopedKeyError(TokenError):
    """Nothing says what the key may sign for, though other keys beside it, or the policy, need it said."""

    code = "key-unscoped"


class KeyIssuerError(TokenError):
    """The key may not sign for the issuer that the token names: the incident's shape."""

    code = "key-issuer"


class KeyTenantError(TokenError):
    """The key may not sign for the token's tenant."""

    code = "key-tenant"


class KeyCloudError(TokenError):
    """The key belongs to another cloud instance."""

    code = "key-cloud"


class KeyClassError(TokenError):
    """The key may not sign for audiences of this class."""

    code = "key-class"


# --- the claims (RFC 7519, section 4) ---


class ClaimTypeError(TokenError):
    """A claim has the wrong type; it is not taken for absent."""

    code = "claim-type"


class MissingClaimError(TokenError):
    """A claim is not there that the policy asks for."""

    code = "claim-missing"


class IssuerError(TokenError):
    """The policy does not know the issuer."""

    code = "token-issuer"


class TenantError(TokenError):
    """``tid`` is missing, no GUID, another than the issuer's, or a tenant that the policy does not take."""

    code = "token-tenant"


class AudienceError(TokenError):
    """The token is not for us."""

    code = "token-audience"


class AudienceClassError(TokenError):
    """The audience does not take tokens of this class, such as those of consumers."""

    code = "token-audience-class"


class ExpiredError(TokenError):
    """``exp`` has passed."""

    code = "token-expired"


class NotYetError(TokenError):
    """``nbf`` is to come."""

    code = "token-not-yet"


class IssuedAtError(TokenError):
    """``iat`` is in the future, or behind ``exp``."""

    code = "token-issued-at"


class LifetimeError(TokenError):
    """Valid for longer, or issued longer ago, than the policy takes."""

    code = "token-lifetime"


class ClaimValueError(TokenError):
    """A claim has another value than the policy asks for."""

    code = "claim-value"


class ConfirmationError(TokenError):
    """The holder did not prove that it has the key to which the token is bound (RFC 8705, RFC 9449)."""

    code = "token-confirmation"


class ProofError(ConfirmationError):
    """The DPoP proof is malformed, for another request, too old, or does not hold (RFC 9449, section 4.3)."""

    code = "dpop-proof"


class EmptyCheckError(TokenError):
    """A check without parts: it asks nothing, so it says no."""

    code = "check-empty"
