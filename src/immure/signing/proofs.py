"""DPoP proofs at the token endpoint (RFC 9449, section 5): none is taken twice, by none of the processes."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from immure import clock
from immure.signing.oauth import InvalidProofError
from immure.signing.state import State
from immure.tokens.dpop import ProofChecker
from immure.tokens.errors import ProofError
from immure.tokens.strict import decode_object, decode_segment

_KIND: Final = "dpop"
_MOST_AGE: Final = timedelta(seconds=60)


class Proofs:
    """Checks the proofs for one endpoint.

    Args:
        state: where used proofs are remembered, for all processes.
        url: of the endpoint.
        time: where the time is from.
    """

    def __init__(self, state: State, url: str, *, time: clock.Clock = clock.now) -> None:
        self._checker = ProofChecker(max_age=_MOST_AGE, time=time)
        self._state = state
        self._url = url
        self._time = time

    async def proved(self, proofs: list[bytes]) -> str:
        """The thumbprint of the key that the client has.

        Args:
            proofs: the fields ``DPoP`` of the header.

        Raises:
            InvalidProofError: there is more than one, or it does not hold, or it was shown before.
            StateError: whether it was shown before cannot be told.
        """
        if len(proofs) > 1:
            raise InvalidProofError("more than one DPoP proof")
        try:
            key = self._checker.verify(proofs[0], method="POST", url=self._url, token=None)
        except ProofError as error:
            raise InvalidProofError(error.reason) from error
        payload = proofs[0].split(b".")[1]
        name = decode_object(decode_segment(payload))["jti"]
        digest = hashlib.sha256(f"{key} {name}".encode("utf-8", "surrogatepass")).digest()
        now = int(self._time().timestamp())
        until = now + 2 * int(_MOST_AGE.total_seconds())
        if not await self._state.ask(self._state.once, _KIND, digest, until=until, now=now):
            raise InvalidProofError("the proof was used before")
        return key
