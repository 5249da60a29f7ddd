"""Signing out (OpenID Connect RP-Initiated Logout 1.0): this browser's session, and what came of it.

A client that shows the ID token of whoever is signed in here needs no further word; else somebody must press
a button, as any page can send a browser here. Other clients hear nothing of it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from immure import clock
from immure.errors import KeySourceError
from immure.introspection.asgi import Receive, Scope, Send, answer, read_body
from immure.introspection.errors import FormError
from immure.introspection.forms import parse_form
from immure.registry.store import Store
from immure.signing.authorize import Authorization, PageError
from immure.signing.oauth import FormMethodError
from immure.signing.own import identity_tokens
from immure.signing.pages import HEADERS, error_page, headers_for, signed_out, signing_out
from immure.signing.settings import Issuer, Settings
from immure.signing.state import State
from immure.tokens.claims import Claims
from immure.tokens.errors import TokenError

_MOST_BYTES: Final = 32 << 10


class EndSession:
    """The endpoint ``/end-session`` of one issuer.

    Args:
        settings: of the service.
        issuer: its name and itself.
        people: who are signed in.
        registry: with the keys of its ID tokens.
        state: keeps what came of a sign-in.
        time: where the time is from.
    """

    def __init__(
        self,
        settings: Settings,
        issuer: tuple[str, Issuer],
        people: Authorization,
        registry: Store,
        state: State,
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        name, self._issuer = issuer
        self._clients = {one: client for one, client in settings.clients.items() if client.issuer == name}
        self._people = people
        self._state = state
        self._hints = identity_tokens(settings, name, registry, time=time)

    async def end_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sign out, or ask whether to."""
        if scope["method"] not in ("GET", "POST"):
            raise FormMethodError("GET or POST is needed")
        posted = scope["method"] == "POST"
        raw = await read_body(scope, receive, _MOST_BYTES) if posted else scope["query_string"]
        try:
            form = parse_form(raw)
            hint = await self._hint(form)
            back = self._back(form, hint)
            if posted and "guard" in form:
                self._people.check_guard(scope, form)
            elif not await self._is_whom(scope, hint):
                await self._ask(send, form, back)
                return
        except FormError:
            await answer(send, 400, error_page("The request is malformed."), HEADERS)
        except PageError as error:
            await answer(send, 400, error_page(str(error)), HEADERS)
        else:
            await self._end(scope, send, hint, back)

    async def _end(self, scope: Scope, send: Send, hint: Claims | None, back: str | None) -> None:
        gone = await self._people.end(scope)
        if hint is not None:
            session = str(hint.get("sid", ""))
            await self._state.ask(self._state.revoke_family_named, session)
        if back is None:
            await answer(send, 200, signed_out(), (*HEADERS, gone))
        else:
            headers = ((b"location", back.encode("ascii")), (b"cache-control", b"no-store"), gone)
            await answer(send, 303, b"", headers)

    async def _ask(self, send: Send, form: Mapping[str, str], back: str | None) -> None:
        guard, cookie = self._people.new_guard()
        asked = {one: form[one] for one in _KEPT if one in form}
        page = signing_out(action=f"{self._issuer.path}/end-session", guard=guard, asked=asked)
        await answer(send, 200, page, (*headers_for(back), (b"set-cookie", cookie)))

    async def _hint(self, form: Mapping[str, str]) -> Claims | None:
        shown = form.get("id_token_hint")
        if not shown:
            return None
        try:
            claims = await self._hints.avalidate(shown)
        except (TokenError, KeySourceError):
            raise PageError("The application showed an ID token that is not ours.") from None
        if form.get("client_id", claims.get("azp")) != claims.get("azp"):
            raise PageError("The application showed an ID token of another one.")
        return claims

    def _back(self, form: Mapping[str, str], hint: Claims | None) -> str | None:
        """Where to go afterwards: exactly one of the client's addresses, or nowhere."""
        uri = form.get("post_logout_redirect_uri")
        if uri is None:
            return None
        name = form.get("client_id") or ("" if hint is None else hint.get("azp"))
        client = self._clients.get(str(name))
        if client is None or uri not in client.logout_uris:
            raise PageError("The application wants you to be sent somewhere that is not its own.")
        if "state" not in form:
            return uri
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': form['state']})}"

    async def _is_whom(self, scope: Scope, hint: Claims | None) -> bool:
        session: Mapping[str, Any] | None = await self._people.session(scope)
        return hint is not None and (session is None or session["subject"] == hint.subject)


_KEPT: Final = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
