"""Signing of checkpoints: an Ed25519 key in the shape that the audit log takes it."""

from __future__ import annotations

from immure.custody.signer import Signer
from immure.errors import SignerError
from immure.keymaterial.key import OkpNumbers


class NoteSigner:
    """An EdDSA :class:`~immure.custody.signer.Signer` as signer of notes (C2SP ``signed-note``).

    Attributes:
        name: the key's name in notes.
        public_key: the public half, 32 bytes.

    Raises:
        SignerError: the key is none of Ed25519, which such notes need.
    """

    def __init__(self, name: str, signer: Signer) -> None:
        numbers = signer.public.numbers
        if signer.algorithm != "EdDSA" or not isinstance(numbers, OkpNumbers):
            raise SignerError(f"checkpoints need Ed25519, not {signer.public.label}", path=signer.uri)
        self.name = name
        self.public_key = numbers.x
        self._signer = signer

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over ``message``, 64 bytes; raises as :meth:`Signer.sign`."""
        return self._signer.sign(message)
