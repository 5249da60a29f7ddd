"""Where the keys of a drilled service are: one class for each kind of custody.

A backend gets a key that the drill knows (:mod:`.canaries`) for the issuer that keeps its key; the keys of
the other are made within, as in life.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from immure.signing.drill.backend import Backend
from immure.signing.drill.canaries import Canary
from immure.signing.drill.house import House
from immure.signing.drill.report import Part
from immure.signing.drill.tokens import InnerToken, Token
from immure.signing.settings import Settings


class UnsafeFiles(Backend):
    """Private keys in files and in the service's memory."""

    name = "file+unsafe"
    must_be_clean = False
    is_control = True

    @property
    def custody(self) -> str:
        """See :class:`Backend`."""
        return f"file+unsafe:{self.directory / 'private'}"

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """See :class:`Backend`."""
        (self.directory / "private").mkdir(mode=0o700)
        canary.write(self.directory / "private" / f"{house.first}.pem")


class Holder(Backend):
    """The key holder, a process of its own."""

    name = "keyholder"

    @classmethod
    def why_not(cls) -> str | None:
        """See :class:`Backend`."""
        if importlib.util.find_spec("immure.custody.keyholder._native") is None:
            return "the key holder's native half was not built"
        return None

    @property
    def custody(self) -> str:
        """See :class:`Backend`."""
        return f"keyholder:{self._file}?pin-source={self._pin()}"

    def parts(self) -> list[Part]:
        """See :class:`Backend`."""
        return ["front end", "holder"]

    @property
    def _file(self) -> Path:
        return self.directory / "holder" / "keys.sealed"

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        """See :class:`Backend`; the other issuer's first key is made as ``immure signing init`` makes it."""
        from immure.custody.keyholder import KeyHolder
        from immure.custody.keyholder.held_key import ANY_AUDIENCE, Rules

        audiences = {ANY_AUDIENCE: frozenset({"drill"})}
        source = canary.write(self.directory / "canary.pem")
        with KeyHolder.create(self._file, [self._pin()]) as holder:
            for issuer in settings.issuers.values():
                algorithm = issuer.plan.algorithm
                rules = Rules(algorithm, issuer.scope, audiences)  # type: ignore[arg-type]
                if f"{issuer.plan.prefix}-0001" == house.first:
                    holder.import_key(house.first, rules, source)
                else:
                    holder.generate(f"{issuer.plan.prefix}-0001", rules, bits=issuer.plan.bits)
        source.unlink()


BACKENDS: Final[dict[str, type[Backend]]] = {
    one.name: one for one in (UnsafeFiles, Holder, Token, InnerToken)
}
#: Those that are drilled if none is named.
USUAL: Final = ("file+unsafe", "keyholder", "pkcs11")
