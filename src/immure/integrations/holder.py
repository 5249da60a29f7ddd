"""Whether who shows a token has the key that it is bound to (RFC 9449, section 7).

The token comes first, and its proof second: a proof that was seen must be remembered, and what is remembered
for anybody who comes along can be filled by anybody. So only a genuine token makes us remember its proof.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from immure.integrations.credentials import BEARER, DPOP, Credentials, Request
from immure.integrations.metadata import checked_origin
from immure.tokens.claims import Claims
from immure.tokens.dpop import ProofChecker
from immure.tokens.errors import ConfirmationError, ProofError
from immure.tokens.validator import Validator


class Holder:
    """Asks for proofs.

    Args:
        validator: that of the tokens.
        proofs: None means that there is no DPoP.
        origin: see :class:`~immure.integrations.bearer.Guard`.
    """

    def __init__(self, validator: Validator, proofs: ProofChecker | None, origin: str | None) -> None:
        self._validator = validator
        self._proofs = proofs
        self._origin = None if origin is None else checked_origin(origin)
        self.algorithms = () if proofs is None else tuple(sorted(proofs.algorithms))

    def claimed(self, shown: Credentials, request: Request) -> str | None:
        """The thumbprint of the key to which the token says that it is bound; nothing is proved yet.

        A token that is bound by DPoP may not come as a bearer token, whatever comes with it.

        Raises:
            ProofError: there is not just one proof.
            TokenError: the token's form is wrong.
        """
        if shown.scheme != DPOP:
            return None
        if len(request.dpop) != 1:
            raise ProofError("there is not just one DPoP field")
        return _bound_to(self._validator.open(shown.token)[1])

    def scheme(self, claims: Claims) -> str:
        """How the token of these claims came, if it was let in."""
        return DPOP if self._proofs is not None and _bound_to(claims) is not None else BEARER

    def check(self, shown: Credentials, request: Request, claims: Claims) -> None:
        """The proof that came with a genuine token holds, and is of the key that the token is bound to.

        Raises:
            ConfirmationError, ProofError: it is not so.
        """
        if self._proofs is None or shown.scheme != DPOP:
            return
        proof, url = request.dpop[0], self._url(request.url)
        thumbprint = self._proofs.verify(proof, method=request.method, url=url, token=shown.token)
        if thumbprint != _bound_to(claims):
            raise ConfirmationError("the token is bound to another key, or to none")

    def _url(self, url: str) -> str:
        if self._origin is None:
            return url
        try:
            return self._origin + urlsplit(url).path
        except ValueError:
            raise ProofError("the address is malformed") from None


def _bound_to(claims: Any) -> str | None:
    bound = claims.get("cnf")
    thumbprint = bound.get("jkt") if isinstance(bound, dict) else None
    return thumbprint if isinstance(thumbprint, str) else None
