"""Holding private keys: a :class:`~immure.custody.signer.Signer` for each key URI.

>>> sorted(SCHEMES)
['awskms', 'file', 'file+unsafe', 'keyholder', 'pkcs11', 'vault']
"""

from __future__ import annotations

from immure.custody.signer import SCHEMES, Ask, Signer, open_signer

__all__ = ["SCHEMES", "Ask", "Signer", "open_signer"]


def _file(uri: str, pin: str | None, ask: Ask | None) -> Signer:
    from immure.custody.file_signer import open_file

    return open_file(uri, pin, ask)


def _unsafe(uri: str, pin: str | None, ask: Ask | None) -> Signer:
    from immure.custody.unsafe_file import open_unsafe

    return open_unsafe(uri, pin, ask)


def _keyholder(uri: str, pin: str | None, ask: Ask | None) -> Signer:
    from immure.custody.keyholder.signer import open_keyholder

    return open_keyholder(uri, pin, ask)


def _pkcs11(uri: str, pin: str | None, ask: Ask | None) -> Signer:
    from immure.custody.pkcs11_signer import open_pkcs11

    return open_pkcs11(uri, pin, ask)


def _awskms(uri: str, pin: str | None, ask: Ask | None) -> Signer:
    from immure.custody.awskms_signer import open_kms

    return open_kms(uri, pin, ask)


def _vault(uri: str, pin: str | None, ask: Ask | None) -> Signer:
    from immure.custody.vault_signer import open_vault

    return open_vault(uri, pin, ask)


# what a scheme needs is loaded when a URI of that scheme is opened
SCHEMES.update({"file": _file, "pkcs11": _pkcs11, "keyholder": _keyholder, "file+unsafe": _unsafe})
SCHEMES.update({"awskms": _awskms, "vault": _vault})
