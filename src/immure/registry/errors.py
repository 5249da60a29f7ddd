"""What can be wrong with a registry of keys; each error has a stable code.

>>> str(UnknownKeyError("no key 'prod-9'", path="immure-keys.db"))
"immure-keys.db: no key 'prod-9'"
"""

from __future__ import annotations

from immure.errors import InputError


class RegistryError(InputError):
    """A registry cannot be read, written or understood, or what should go into it contradicts itself."""

    code = "registry"


class ScopeError(RegistryError):
    """A key scope that no key could have, or that does not fit the key."""

    code = "registry-scope"


class UnknownKeyError(RegistryError):
    """The registry has no such key, or several that could be meant."""

    code = "registry-unknown-key"


class DuplicateKeyError(RegistryError):
    """The registry has this key already, or another one of that issuer under the same kid."""

    code = "registry-duplicate"


class TransitionError(RegistryError):
    """A state of a key that cannot follow the one it is in (NIST SP 800-57 part 1, section 7)."""

    code = "registry-transition"


class PooledError(RegistryError):
    """Keys of more than one scope were asked for in one key set."""

    code = "registry-pooled"
