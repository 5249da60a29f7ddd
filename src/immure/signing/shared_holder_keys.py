"""``keyholder+unix:`` a key holder that others started, and that listens for several front ends.

``keyholder+unix:SOCKET``, with ``?user=NAME`` if it must be that user who listens there: else whoever may
write to the directory of the socket could listen in its place, and have tokens signed by keys of his own.
These would not verify, but no other would be given out.
"""

from __future__ import annotations

import asyncio
import pwd
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from immure.custody.keyholder.aio import AsyncKeyHolder
from immure.errors import SignerError
from immure.signing.holder_keys import HolderKeys

_USER: Final = "user="
_ANY: Final = 1 << 40


class SharedHolderKeys(HolderKeys):
    """Keys of a holder at a socket.

    Args:
        path: of the socket.
        uid: the user who must listen there; None for whoever does.
        options: see :class:`~immure.custody.keyholder.launch.Options`.
    """

    def __init__(self, path: str | Path, uid: int | None = None, **options: Any) -> None:
        # somebody else starts it again: connecting costs little, and may be tried by every request
        super().__init__(path, (), **{"restarts": _ANY, **options})
        self._uid = uid

    @classmethod
    def of(cls, path: str, query: str) -> SharedHolderKeys:
        """By the parts of a URI; raises SignerError if they say something else."""
        if not path or (query and not query.startswith(_USER)) or "&" in query:
            raise SignerError("keyholder+unix: needs the path of a socket, and may have ?user=NAME")
        return cls(path, _uid(unquote(query.removeprefix(_USER))) if query else None)

    async def start(self) -> None:
        """See :meth:`TokenKeys.start`."""
        self._loop = asyncio.get_running_loop()
        self._holder = await AsyncKeyHolder.connect(self._path, uid=self._uid, **self._options)


def _uid(user: str) -> int:
    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise SignerError(f"there is no user {user[:80]!a}") from None
