"""``/deny-list``: who answers for an issuer pushes the list of burnt keys here, and reads which is in force.

Anybody may ask: a list is believed for its signature alone, and an older one never takes the place of a newer
one. When the answer 200 is sent, this process goes by the list, it is on the disk, and the other workers go
by it within a fifth of a second. The sources of the issuers that it names fetch their keys anew.

    app = DenyListPage(guard, policy.issuers)       # for any ASGI server, beside one's own pages
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from immure.introspection.asgi import (
    JSON,
    NO_STORE,
    Receive,
    Scope,
    Send,
    answer,
    answer_error,
    header_values,
    read_body,
)
from immure.introspection.errors import MediaTypeError, MethodError, RequestError, UnavailableError
from immure.introspection.journal import Journal
from immure.registry.scope import TENANT, KeyScope
from immure.tokens.deny_list import MEDIA_TYPE, MOST_BYTES, DenyList
from immure.tokens.deny_list_errors import (
    DenyListError,
    DenyListFormError,
    DenyListRollbackError,
    DenyListSignatureError,
)
from immure.tokens.deny_list_guard import DenyListGuard
from immure.tokens.policy import IssuerRule

_TYPE: Final = MEDIA_TYPE.encode("ascii")
#: Lists that are looked at in one process at once: each may be a megabyte.
_AT_ONCE: Final = 4


class DenyListRefusedError(RequestError):
    """What was pushed is no list, or not signed by the pinned key."""

    code = "deny-list-refused"
    error = "invalid_deny_list"


class OlderListError(RequestError):
    """A newer list is in force; its number is in the words."""

    code = "deny-list-older"
    status = 409
    error = "older_deny_list"


class PushMethodError(MethodError):
    """Neither read nor pushed."""

    headers = ((b"allow", b"GET, HEAD, POST"),)


class DenyListPage:
    """See the module.

    Args:
        guard: of the policy by which tokens are judged.
        issuers: rules of the policy, whose sources are to look again.
        journal: is told of lists that were taken.
    """

    def __init__(
        self, guard: DenyListGuard, issuers: Mapping[str, IssuerRule], journal: Journal | None = None
    ) -> None:
        self._guard, self._issuers = guard, issuers
        self._journal = journal or Journal()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            found = await self._answer(scope, receive)
        except RequestError as error:
            await answer_error(send, error)
        else:
            await self._tell(send, found)

    async def _answer(self, scope: Scope, receive: Receive) -> DenyList | None:
        if scope["method"] in ("GET", "HEAD"):
            await asyncio.to_thread(self._guard.look)
            return self._guard.current
        if scope["method"] != "POST":
            raise PushMethodError("a list is read, or pushed by POST")
        kind = header_values(scope, b"content-type")
        if len(kind) != 1 or kind[0].partition(b";")[0].strip().lower() != _TYPE:
            raise MediaTypeError(f"the body must be {MEDIA_TYPE}")
        async with self._places:
            text = await read_body(scope, receive, MOST_BYTES)
            return await asyncio.to_thread(self._take, text)

    def _take(self, text: bytes) -> DenyList:
        try:
            made, is_new = self._guard.offer(text)
        except DenyListRollbackError as error:
            self._journal.write("deny-list", taken=False, code=error.code, reason=error.reason)
            raise OlderListError(error.reason) from error
        except (DenyListFormError, DenyListSignatureError) as error:
            self._journal.write("deny-list", taken=False, code=error.code, reason=error.reason)
            raise DenyListRefusedError(error.reason) from error
        except DenyListError as error:
            self._journal.write("deny-list", taken=False, code=error.code, reason=error.reason)
            raise UnavailableError("the list cannot be kept") from error
        if is_new:
            self._journal.write("deny-list", taken=True, sequence=made.sequence, keys=len(made.keys))
            refresh_sources(made, self._issuers)
        return made

    async def _tell(self, send: Send, found: DenyList | None) -> None:
        body: dict[str, object] = {"sequence": None}
        if found is not None:
            body = {
                "name": found.name,
                "sequence": found.sequence,
                "issued": found.issued,
                "expires": found.expires,
                "keys": len(found.keys),
            }
        await answer(send, 200, json.dumps(body).encode("ascii"), (JSON, NO_STORE))


def refresh_sources(made: DenyList, issuers: Mapping[str, IssuerRule]) -> None:
    """Have the key sets fetched again of all issuers that a list says something of.

    A source that was asked within its cooldown is left alone: the list counts without it.
    """
    seen: set[int] = set()
    for issuer, rule in issuers.items():
        refresh = getattr(rule.source, "refresh", None)
        if refresh is None or id(rule.source) in seen or not any(_same(one, issuer) for one in made.issuers):
            continue
        seen.add(id(rule.source))
        refresh()


def _same(stated: str, issuer: str) -> bool:
    """Whether a list's issuer is one of the policy's, templates on either side."""
    if stated == issuer:
        return True
    if TENANT in stated and KeyScope(stated).tenant_of(issuer) is not None:
        return True
    return TENANT in issuer and KeyScope(issuer).tenant_of(stated) is not None
