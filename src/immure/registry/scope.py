"""Key scope: which issuer, audience classes, tenants and clouds a key may sign for, how, and when.

>>> scope = KeyScope("https://login.example/{tenantid}/v2.0", audience_classes=frozenset({"enterprise"}))
>>> scope.tenant_of("https://login.example/7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f/v2.0")
'7ab8a5a2-4c4e-4b5c-8d7c-0b7a3c9d1e2f'
>>> scope.tenant_of("https://login.example/consumers/v2.0") is None
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from immure.keymaterial.key import PublicKey
from immure.registry.state import KeyState

#: Stands for the tenant's id in an issuer, as Entra has it.
TENANT: Final = "{tenantid}"
_GUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class KeyScope:
    """What a key may sign for.

    Attributes:
        issuer: the ``iss`` of its tokens, exactly; ``{tenantid}`` in it stands for the id of any tenant (a
            lower-case GUID, which the token's ``tid`` must repeat).
        audience_classes: kinds of audiences, such as ``consumer``, ``enterprise``, ``workload``; none means
            that no audience may be asked for with it.
        tenants: ids of the tenants; empty means any that the issuer allows.
        clouds: names of cloud instances; empty means any.
        algorithms: JWS algorithms (RFC 7518, RFC 8037, RFC 9864); empty means those that fit the key.
        not_before, not_after: outside of this time nothing that the key signed is accepted.
    """

    issuer: str
    audience_classes: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    clouds: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset()
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def is_templated(self) -> bool:
        """Whether the issuer stands for those of many tenants."""
        return TENANT in self.issuer

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = [re.escape(part) for part in self.issuer.split(TENANT)]
        return re.compile(f"({_GUID})".join(parts[:2]) + "".join(parts[2:]))

    def allows_issuer(self, issuer: str) -> bool:
        """Whether tokens of this issuer may be signed with the key."""
        return self.tenant_of(issuer) is not None if self.is_templated else issuer == self.issuer

    def tenant_of(self, issuer: str) -> str | None:
        """The tenant that an issuer names, if the scope's issuer is a template that fits; else None."""
        match = self._pattern.fullmatch(issuer) if self.issuer.count(TENANT) == 1 else None
        return match[1] if match else None


@dataclass(frozen=True)
class ScopedKey:
    """A public key with what it may sign for.

    Attributes:
        key: the key, and where it was learned.
        kid: its id in its source.
        scope: None if the source says nothing of it: then it may sign for nothing.
        state: in its life (NIST SP 800-57).
    """

    key: PublicKey
    kid: str | None
    scope: KeyScope | None
    state: KeyState = KeyState.ACTIVE
