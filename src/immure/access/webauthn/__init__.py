"""WebAuthn (W3C, Level 3) as far as a room needs it: registration and assertion, verified step by step.

:mod:`.registration` is section 7.1, :mod:`.assertion` section 7.2; each check has a name, which is the
``rule`` of the error. What the authenticator sent is read strictly (:mod:`.cbor`, :mod:`.authenticator_data`,
:mod:`.client_data`); statements of attestation are verified by ``fido2``, chains of certificates by
:mod:`.chain`, and what is known of a model is in :mod:`.metadata`.
"""
