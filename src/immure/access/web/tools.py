"""Web tools behind a proxy that asks first: a session is handed over to the tool's host, and then asked for
with every request (nginx: ``auth_request``; others call it forward authentication).

The tool has a host of its own. On the page's host its scripts could ask hardware keys to sign.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from immure.access.door import Door
from immure.access.errors import DeniedError, NoGrantError
from immure.access.names import parse_resource
from immure.access.records import Grant
from immure.access.texts import encode
from immure.access.web.guard import secret_of, set_cookie
from immure.access.web.wire import Answer, Request
from immure.errors import UsageError

#: The cookie on a tool's host.
SESSION: Final = "__Host-room"
#: Where a tool's proxy hands on to this server; browsers come there once.
TAKE: Final = "/.room/enter"
AUTH: Final = "/auth"
_ACTION: Final = "enter"
_SECONDS: Final = 60.0
_MOST: Final = 256
_ORIGIN: Final = re.compile(r"https://[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
_NO_STORE: Final = (b"cache-control", b"no-store")


class _Handed(NamedTuple):
    secret: bytes
    resource: str
    until: float


def parse_tools(lines: tuple[str, ...], page_origins: tuple[str, ...]) -> dict[str, str]:
    """Tools by their resources, of lines ``room:NAME=https://HOST``.

    Raises:
        UsageError: a line is something else, or names a host of the page itself.
    """
    made: dict[str, str] = {}
    hosts = {urlsplit(one).hostname for one in page_origins}
    for line in lines:
        name, _, origin = line.partition("=")
        resource = str(parse_resource(name))
        if not resource.startswith("room:") or not _ORIGIN.fullmatch(origin):
            raise UsageError(f"a tool is room:NAME=https://HOST, not {line[:80]!r}")
        if urlsplit(origin).hostname in hosts:
            raise UsageError(f"{origin} is the page's own host: what runs there could ask keys to sign")
        if resource in made:
            raise UsageError(f"{resource} has two tools")
        made[resource] = origin
    return made


class Tools:
    """Hands sessions over, and answers proxies.

    Args:
        door: decides.
        origins: of tools, by their resources.
        clock: seconds, monotonic.
    """

    def __init__(
        self, door: Door, origins: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._door, self._origins, self._clock = door, dict(origins), clock
        self._handed: OrderedDict[str, _Handed] = OrderedDict()
        self._mutex = threading.Lock()

    def hand_over(self, grant: Grant, secret: bytes) -> tuple[str, str] | None:
        """A link by which a session that was just opened goes to the tool of its room, for one minute and
        once; None if the room has no tool here."""
        origin = self._origins.get(grant.resource)
        if origin is None or _ACTION not in grant.actions:
            return None
        code = encode(secrets.token_bytes(32))
        with self._mutex:
            self._handed[code] = _Handed(secret, grant.resource, self._clock() + _SECONDS)
            while len(self._handed) > _MOST:
                self._handed.popitem(last=False)
        return f"{origin}{TAKE}?code={code}", f"Go on to {origin}"

    def take(self, request: Request, workstation: str) -> Answer:
        """The browser comes to the tool's host with a code: its session is there from now on.

        Raises:
            DeniedError: the code is not good, or the session is not live here.
        """
        with self._mutex:
            handed = self._handed.pop(request.query.get("code", ""), None)
        if handed is None or self._clock() > handed.until:
            raise DeniedError("this link was used, or its minute is over", rule="session")
        host = (request.one(b"host") or b"").decode("latin-1")
        if urlsplit(self._origins[handed.resource]).netloc != host:
            raise DeniedError("this link is for another host", rule="session")
        session, grant = self._door.session(handed.secret, workstation=workstation)
        self._door.use(grant.id, _ACTION, {"tool": host, "session": session.id})
        # who comes from the page comes from another site, perhaps; with "Strict" the way on would be shut
        cookie = set_cookie(SESSION, encode(handed.secret), site="Lax")
        fields = (cookie, (b"location", b"/"), _NO_STORE)
        return Answer(303, b"", fields)

    def auth(self, request: Request, workstation: str) -> Answer:
        """Whether a request to a tool may go on: 204, with the account and the grant in fields; 401 if not,
        403 if somebody is in, but not for this."""
        resource, action = request.query.get("resource", ""), request.query.get("action", _ACTION)
        try:
            _, grant = self._door.session(secret_of(request, SESSION), workstation=workstation)
        except NoGrantError as error:
            return Answer(401, b"", (_NO_STORE, (b"x-room-rule", error.rule.encode())))
        if grant.resource != resource or action not in grant.actions:
            return Answer(403, b"", (_NO_STORE, (b"x-room-rule", b"grant")))
        known = ((b"x-room-account", grant.account.encode()), (b"x-room-grant", grant.id.encode()))
        return Answer(204, b"", (_NO_STORE, *known))
