"""Reads the public keys that a command was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from immure.cli.messages import say
from immure.errors import InputError, UsageError

if TYPE_CHECKING:
    from immure.keymaterial.key import PublicKey


def load_all(sources: Sequence[str], allow_private_hosts: bool, quiet: bool) -> list[PublicKey]:
    """The keys of all sources, and on standard error what there is to say of them."""
    keys: list[PublicKey] = []
    if sources:
        from immure.keymaterial.sources import load_keys

        for source in sources:
            try:
                loaded = load_keys(source, allow_private_hosts=allow_private_hosts)
            except InputError as error:  # without its keys the scan would not be the one that was asked for
                raise UsageError(str(error)) from error
            keys.extend(loaded.keys)
            for note in () if quiet else loaded.notes:
                say(f"note: {note}")
    return keys
