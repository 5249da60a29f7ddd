"""``keyholder:`` private keys in the key holder's process, which reads what it signs.

The first key of each issuer is made when the service is set up, by somebody who may say what keys may sign.
From then on the service only has successors made: keys that may sign exactly what their predecessors may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from immure.custody.keyholder.aio import AsyncKeyHolder
from immure.custody.keyholder.asking import KeyInfo
from immure.custody.keyholder.desk import WITH_SUCCESSORS
from immure.custody.keyholder.errors import HolderKeyError, HolderRequestError, HolderRoleError
from immure.custody.keyholder.held_key import MOST_AUDIENCES
from immure.custody.keyholder.pins import Pin
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey
from immure.registry.fit import is_plain_text
from immure.registry.state import KeyState
from immure.signing.keys import KeyUse, TokenKeys
from immure.signing.rotation import Plan

T = TypeVar("T")
_PATIENCE = 60.0


class HolderKeys(TokenKeys):
    """A key holder that this process starts.

    Args:
        path: of the key file.
        pins: that open it.
        options: see :class:`~immure.custody.keyholder.launch.Options`.
    """

    def __init__(self, path: str | Path, pins: Sequence[Pin], **options: Any) -> None:
        super().__init__()
        self._path, self._pins, self._options = path, pins, options
        self._holder: AsyncKeyHolder | None = None
        self._activating = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._classes: dict[str, str] = {}

    def tell(self, audiences: Mapping[str, str]) -> None:
        """See :meth:`TokenKeys.tell`."""
        self._classes = dict(audiences)

    async def start(self) -> None:
        """See :meth:`TokenKeys.start`."""
        self._loop = asyncio.get_running_loop()
        self._holder = await AsyncKeyHolder.start(self._path, self._pins, **self._options)

    async def sign(self, kid: str, algorithm: str, signed: bytes) -> bytes:
        """See :meth:`TokenKeys.sign`: the holder reads what it signs, and the algorithm is its key's."""
        holder = self._running()
        await self._activate(holder, kid)
        return await holder.sign(kid, "token", signed)

    def sign_at_once(self, kid: str, signed: bytes) -> asyncio.Future[bytes] | None:
        """See :meth:`TokenKeys.sign_at_once`."""
        return None if self._holder is None else self._holder.sign_at_once(kid, "token", signed)

    async def _activate(self, holder: AsyncKeyHolder, kid: str) -> None:
        """The registry says which key signs; the holder learns it when the key is first used."""
        if (await holder.find(kid)).state is not KeyState.PRE_ACTIVE:
            return
        async with self._activating:
            if (await holder.find(kid)).state is KeyState.PRE_ACTIVE:
                await _bring(holder, kid, KeyState.ACTIVE, "signs now, by the registry")

    def generate(self, kid: str, plan: Plan) -> PublicKey:
        """See :meth:`KeyMaker.generate`; called from another thread than the loop's."""
        holder = self._running()
        keys = self._wait(holder.list())
        if kid not in keys:
            before = _predecessor(keys, plan)
            if before is None:
                raise SignerError(
                    f"there is no key for {plan.scope.issuer!a} yet that it could follow",
                    path=str(self._path),
                )
            try:
                never = _foreign(self._classes, before, plan)
                return self._wait(holder.succeed(kid, before.kid, bits=plan.bits, never=never)).public
            except (HolderKeyError, HolderRequestError):  # another front end may have been quicker
                keys = self._wait(holder.list())
                if kid not in keys:
                    raise
        return keys[kid].public

    def destroy(self, kid: str) -> None:
        """See :meth:`KeyMaker.destroy`."""
        holder = self._running()
        keys = self._wait(holder.list())
        if kid not in keys or keys[kid].state is KeyState.DESTROYED:
            return
        if keys[kid].state in (KeyState.ACTIVE, KeyState.SUSPENDED):  # the holder destroys none in use
            self._wait(_bring(holder, kid, KeyState.DEACTIVATED, "its successor signs"))
        self._wait(_bring(holder, kid, KeyState.DESTROYED, "its last token has run out"))

    def use(self, kid: str) -> KeyUse:
        """See :meth:`TokenKeys.use`: the holder counts, keeps the count, and lets no quota be passed."""
        info = self._wait(self._running().list()).get(kid)
        return KeyUse(0) if info is None else KeyUse(info.signed, info.rules.quota, lasts=True)

    async def aclose(self) -> None:
        """See :meth:`TokenKeys.aclose`."""
        if self._holder is not None:
            await self._holder.aclose()

    def _running(self) -> AsyncKeyHolder:
        if self._holder is None:
            raise SignerError("the key holder was not started", path=str(self._path))
        return self._holder

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise SignerError("the key holder was not started", path=str(self._path))
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)
        except TimeoutError:
            raise SignerError("the key holder did not answer", path=str(self._path)) from None


async def _bring(holder: AsyncKeyHolder, kid: str, state: KeyState, reason: str) -> None:
    """Change the state of a key, unless another front end was quicker."""
    try:
        await holder.set_state(kid, state, reason)
    except (HolderRequestError, HolderRoleError):  # to where it is already, there is no step
        there = (await holder.list()).get(kid)
        if there is None or there.state not in (state, KeyState.DESTROYED):
            raise


def _foreign(classes: Mapping[str, str], before: KeyInfo, plan: Plan) -> list[str]:
    """Audiences of other classes that a key does not know yet, as they were added after it was made; as many
    as there is room for, since without a next key nothing would be signed at all."""
    known = before.rules.audiences
    found = sorted(
        name
        for name, one in classes.items()
        if name not in known and one not in plan.scope.audience_classes and is_plain_text(name)
    )
    return found[: MOST_AUDIENCES - len(known)]


def _predecessor(keys: Mapping[str, KeyInfo], plan: Plan) -> KeyInfo | None:
    """The newest key of the same issuer and algorithm that may have a successor."""
    for info in reversed(list(keys.values())):
        is_of_kind = info.rules.scope.issuer == plan.scope.issuer and info.algorithm == plan.algorithm
        if is_of_kind and info.state in WITH_SUCCESSORS:
            return info
    return None
