"""Makes the tokens of a probe: any header, any claims, any key, each as wrong as it is asked for.

    mint = Mint(kit, moment)
    mint.good()                                   # what must be let in
    mint.token(key=mint.key_of(consumers))        # the incident: their key, our issuer

The same kit, moment and number of tokens before give the same token, but for signatures by PSS.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from immure.keymaterial.key import b64url
from immure.probe.errors import MissingError
from immure.probe.kit import Kit, ProbeKey, Scope
from immure.probe.sign import sign

#: Seconds for which a good token is good.
LIFETIME: Final = 900


class _Absent:
    """Leaves a member out; None is JSON's ``null``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


class Mint:
    """Makes tokens.

    Args:
        kit: whose keys sign.
        moment: now, in seconds since 1970.
        home: kids of the target's keys that may be used; None means all that are fit.
        made: how many tokens were made before, so that no two have the same ``jti``.
    """

    def __init__(self, kit: Kit, moment: int, home: frozenset[str] | None = None, made: int = 0) -> None:
        self.kit = kit
        self.now = moment
        self.target = kit.target
        self._home = home
        self._made = made

    # --- whose key ---

    def home(self, *kinds: str) -> ProbeKey:
        """A key of the target; ``kinds`` are the beginnings of algorithms, any of which will do.

        Raises:
            MissingError: the kit has none, or the relying party does not take its tokens.
        """
        for key in self.kit.home_keys(self.now):
            if self._home is not None and key.kid not in self._home:
                continue
            if not kinds or key.alg.startswith(kinds):
                return key
        raise MissingError(
            f"no key of the target for {' or '.join(kinds) or 'signing'} whose tokens are let in"
        )

    def key_of(self, scope: Scope) -> ProbeKey:
        """A key of another scope, by an algorithm that the relying party takes.

        Raises:
            MissingError: the kit has none.
        """
        found = [key for key in self.kit.keys.values() if key.scope == scope and key.is_plain(self.now)]
        return self._alike(found, f"no key of the scope {scope.name}")

    def attacker(self) -> ProbeKey:
        """A key that the relying party was never told of."""
        found = [key for key in self.kit.keys.values() if not key.published]
        return self._alike(found, "no key of an attacker (published = false)")

    def unscoped(self) -> ProbeKey:
        """A published key of which nothing says what it may sign for."""
        found = [key for key in self.kit.key_set() if key.scope is None and key.is_plain(self.now)]
        return self._alike(found, "no key without a scope")

    def odd(self, what: str) -> ProbeKey:
        """A key of the target that is ``expired``, ``future``, ``weak``, for ``encryption`` or of another
        ``cloud``."""
        tests: dict[str, Callable[[ProbeKey], bool]] = {
            "expired": lambda key: key.not_after is not None and key.not_after <= self.now,
            "future": lambda key: key.not_before is not None and key.not_before > self.now,
            "weak": lambda key: key.is_weak,
            "encryption": lambda key: key.use == "enc",
            "cloud": lambda key: key.cloud != self.target.cloud,
        }
        mine = [key for key in self.kit.key_set() if key.scope == self.target]
        return self._alike([key for key in mine if tests[what](key)], f"no key of the target: {what}")

    def _alike(self, keys: list[ProbeKey], words: str) -> ProbeKey:
        """One by the algorithm of :meth:`home`; by another it might be refused for that alone."""
        wanted = self.home().alg
        for key in keys:
            if key.alg == wanted:
                return key
        raise MissingError(f"the kit has {words} for {wanted}")

    @property
    def tenant(self) -> str:
        """The target's tenant; raises MissingError if it has none."""
        if self.target.tenant is None:
            raise MissingError("the target has no tenant")
        return self.target.tenant

    # --- what it says ---

    def claims(self, scope: Scope | None = None, /, **changes: Any) -> dict[str, Any]:
        """Claims of a good token of a scope (the target's by default), with changes."""
        of = scope or self.target
        self._made += 1
        made: dict[str, Any] = {
            "iss": of.issuer,
            "sub": "immure-probe",
            "aud": of.audience,
            "iat": self.now - 5,
            "nbf": self.now - 5,
            "exp": self.now + LIFETIME,
            "jti": self._jti(),
        }
        if of.tenant is not None:
            made["tid"] = of.tenant
        return _changed({**made, **self.kit.claims}, changes)

    def header(self, key: ProbeKey, /, **changes: Any) -> dict[str, Any]:
        """The header of a good token, with changes."""
        made = {"alg": key.alg, "kid": key.kid}
        if self.kit.typ is not None:
            made["typ"] = self.kit.typ
        return _changed(made, changes)

    def _jti(self) -> str:
        return hashlib.sha256(f"{self.now}.{self._made}".encode()).hexdigest()[:32]

    # --- the token ---

    def token(
        self,
        key: ProbeKey | None = None,
        /,
        *,
        scope: Scope | None = None,
        header: Mapping[str, Any] | None = None,
        by: Any = None,
        alg: str | None = None,
        **claims: Any,
    ) -> str:
        """A token with a genuine signature, and something wrong.

        Args:
            key: that signs, and that the header names; the target's by default.
            scope: whose claims it has.
            header: changes of the header.
            by: another key that signs (of ``cryptography``, or bytes).
            alg: by which it is really signed.
            claims: changes of the claims.
        """
        signer = key or self.home()
        head = to_json(self.header(signer, **(header or {})))
        payload = to_json(self.claims(scope, **claims))
        return self.seal(head, payload, signer.private if by is None else by, alg or signer.alg)

    def good(self, key: ProbeKey | None = None) -> str:
        """A token that must be let in."""
        return self.token(key)

    def forged(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token signed by the attacker, which names the target's key unless ``header`` says otherwise."""
        attacker = self.attacker()
        return self.token(self.home(), header={"alg": attacker.alg} | dict(header or {}),
                          by=attacker.private, alg=attacker.alg, **claims)  # fmt: skip

    def seal(self, head: bytes, payload: bytes, key: Any, alg: str) -> str:
        """A token with a genuine signature over any bytes."""
        signed = unsigned(head, payload)
        return f"{signed}.{b64url(sign(key, alg, signed.encode()))}"

    def raw(self, *, head: bytes | None = None, payload: bytes | None = None) -> str:
        """A token of the target's own key, with the bytes of its header or payload given."""
        key = self.home()
        return self.seal(
            to_json(self.header(key)) if head is None else head,
            to_json(self.claims()) if payload is None else payload,
            key.private,
            key.alg,
        )

    def parts(self, key: ProbeKey | None = None) -> tuple[str, str, str]:
        """Header, payload and signature of a good token, as they stand in it."""
        head, payload, signature = self.good(key).split(".")
        return head, payload, signature


def to_json(value: Any) -> bytes:
    """JSON as most issuers write it; NaN and infinities are written as some do."""
    return json.dumps(value, separators=(",", ":")).encode()


def unsigned(head: bytes, payload: bytes) -> str:
    """The signing input."""
    return f"{b64url(head)}.{b64url(payload)}"


def _changed(made: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (made | dict(changes)).items() if value is not ABSENT}
