"""Every error that Immure raises on purpose, each with a stable short code.

>>> raise InputError("segment 3 ends beyond the file", path="app.core", offset=64)
Traceback (most recent call last):
...
immure.errors.InputError: app.core: at offset 0x40: segment 3 ends beyond the file

Library users catch :class:`ImmureError`; the command line prints ``str(error)`` and maps the class to an exit
code. Codes never change once released, texts may. This module imports nothing from the package.
"""

from __future__ import annotations

from typing import ClassVar


class ImmureError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        code: short, stable, machine-readable name of the kind of error.
        path: the file (or URL, or ``pid:N``) concerned, if there is one.
        offset: byte offset in it, if there is one.
        reason: what is wrong, in words; never holds a secret.
    """

    code: ClassVar[str] = "error"

    def __init__(self, reason: str, *, path: str | None = None, offset: int | None = None) -> None:
        self.reason = reason
        self.path = path
        self.offset = offset
        parts = [path] if path is not None else []
        if offset is not None:
            parts.append(f"at offset {offset:#x}")
        super().__init__(": ".join([*parts, reason]))


class UsageError(ImmureError):
    """The caller asked for something that cannot be done as asked (exit code 2)."""

    code = "usage"


class InputError(ImmureError):
    """Foreign bytes are not what they claim to be."""

    code = "input"


class ImageError(InputError):
    """An image (crash dump, memory dump, live process, archive) cannot be read as one."""

    code = "image"


class KeySourceError(InputError):
    """A source of public keys cannot be read, fetched or understood."""

    code = "key-source"


class KeyFormatError(InputError):
    """Bytes that should be a key are not one, or its numbers contradict each other."""

    code = "key-format"


class LimitError(InputError):
    """A bound set against hostile input was reached (size, count, depth, time)."""

    code = "limit"


class SignerError(ImmureError):
    """A private key cannot be used: no such key, wrong PIN, a token that is gone, a file others can read."""

    code = "signer"


class RedactionError(ImmureError):
    """An image cannot be redacted, or not so that it could be proved; there is no output (exit code 3)."""

    code = "redaction"


class AttestationError(InputError):
    """An envelope or statement is malformed, of an unknown version, or its signature does not hold."""

    code = "attestation"


class LogError(ImmureError):
    """The audit log cannot be read, written or verified."""

    code = "audit-log"


class VaultError(ImmureError):
    """A sealed dump cannot be stored, opened or destroyed, or its bytes were altered."""

    code = "vault"


class PolicyError(UsageError):
    """A policy file cannot be read or understood: then nothing is allowed."""

    code = "policy"


class RefusedError(ImmureError):
    """The gate stays closed (exit code 1). ``rule`` is the stable name of the rule that says no."""

    code = "refused"

    def __init__(self, reason: str, *, rule: str, path: str | None = None, offset: int | None = None) -> None:
        super().__init__(reason, path=path, offset=offset)
        self.rule = rule


class TransferError(ImmureError):
    """A release was allowed and could not be carried out; nothing is at the destination (exit code 3)."""

    code = "transfer"


class CaptureError(ImmureError):
    """A crash cannot be captured, or the capture cannot be installed."""

    code = "capture"
