"""Private keys that a service on the network keeps: asked for each signature, and held to what it publishes.

The service knows nothing of issuers and audiences, so what a key may sign is checked in this process only.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Final

from immure.custody.algorithms import ALGORITHMS, Algorithm, is_signature
from immure.custody.signer import choose_algorithm
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey
from immure.signing.file_keys import jws_signature
from immure.signing.keys import ThreadedKeys
from immure.signing.rotation import Plan

#: Signatures that are waited for at once.
_THREADS: Final = 16


class Remote(ABC):
    """What such a service does; each call may block, and raises SignerError."""

    @abstractmethod
    def open(self) -> None:
        """See that there is all that it takes to ask."""

    @abstractmethod
    def find(self, kid: str) -> PublicKey | None:
        """The public half of the key of that name, None if there is none."""

    @abstractmethod
    def make(self, kid: str, algorithm: Algorithm, bits: int) -> None:
        """Make a key; changes nothing if there is one."""

    @abstractmethod
    def sign(self, kid: str, algorithm: Algorithm, message: bytes) -> bytes:
        """A signature, ECDSA's as DER."""

    @abstractmethod
    def destroy(self, kid: str) -> None:
        """Destroy the key of that name, if it is there."""

    def close(self) -> None:  # noqa: B027 - not everything needs it
        """Let go of connections."""


class RemoteKeys(ThreadedKeys):
    """Keys of such a service.

    Args:
        remote: how it is asked.
        path: what errors name.
    """

    def __init__(self, remote: Remote, path: str) -> None:
        super().__init__("remote", _THREADS)
        self._remote, self._path = remote, path
        self._public: dict[str, PublicKey] = {}

    async def start(self) -> None:
        """See :meth:`TokenKeys.start`. Whether the service lets us in shows with the first key."""
        await asyncio.to_thread(self._remote.open)

    def generate(self, kid: str, plan: Plan) -> PublicKey:
        """See :meth:`KeyMaker.generate`."""
        algorithm = _known(plan.algorithm, self._path)
        public = self._remote.find(kid)
        if public is None:
            self._remote.make(kid, algorithm, plan.bits)
            public = self._remote.find(kid)
        if public is None:
            raise SignerError(f"the key {kid!a} was made, and is not there", path=self._path)
        choose_algorithm(public, algorithm, f"{self._path} {kid}")
        self._public[kid] = public
        return public

    def destroy(self, kid: str) -> None:
        """See :meth:`KeyMaker.destroy`."""
        self._remote.destroy(kid)
        self._public.pop(kid, None)

    def _sign(self, kid: str, wanted: str, message: bytes) -> bytes:
        """A signature as JWS has it, held against the public half before it leaves."""
        public = self._public.get(kid) or self._remote.find(kid)
        if public is None:
            raise SignerError(f"there is no key {kid[:80]!a}", path=self._path)
        algorithm = choose_algorithm(public, wanted, f"{self._path} {kid[:80]!a}")
        made = self._remote.sign(kid, algorithm, message)
        if not is_signature(public.numbers, algorithm, message, made):
            self._public.pop(kid, None)  # somebody may have put another key in its place
            raise SignerError("what it signed does not hold against the public half", path=self._path)
        self._public[kid] = public
        return jws_signature(algorithm, made)

    async def aclose(self) -> None:
        """See :meth:`TokenKeys.aclose`."""
        await super().aclose()
        self._remote.close()


def _known(algorithm: str, path: str) -> Algorithm:
    if algorithm not in ALGORITHMS:
        raise SignerError(f"unknown algorithm {algorithm[:40]!a}", path=path)
    return algorithm
