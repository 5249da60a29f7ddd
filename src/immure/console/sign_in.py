"""Signing in: by a hardware key that an access room knows (WebAuthn), or by an issuer (OpenID Connect)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from immure.access.asking import describe
from immure.access.door import Door
from immure.access.errors import DeniedError
from immure.access.web.guard import drop_cookie, set_cookie
from immure.access.web.looking import end_session
from immure.clock import Clock
from immure.console.issuer import Issuer
from immure.console.render import render
from immure.console.sessions import COOKIE, Sessions
from immure.console.settings import Settings


class SignIn:
    """Routes that people come in by, and go out.

    Args:
        settings: of the console.
        sessions: where they are begun.
        door: of the room that knows hardware keys; None if it is not asked.
        clock: tells the time.
        told: is told who comes and goes.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        door: Door | None,
        clock: Clock,
        told: Callable[..., None],
    ) -> None:
        self._settings, self._sessions, self._door, self._told = settings, sessions, door, told
        self._issuer = Issuer(settings.issuer, settings.origin, clock) if settings.issuer else None

    @property
    def routes(self) -> Sequence[Route]:
        """Where they come in."""
        made = [
            Route("/sign-in", self._page),
            Route("/sign-out", self._out, methods=["POST"]),
        ]
        if self._door is not None:
            made.append(Route("/sign-in/key", self._begin, methods=["POST"]))
            made.append(Route("/sign-in/complete", self._complete, methods=["POST"]))
        if self._issuer is not None:
            made.append(Route("/sign-in/issuer", self._leave))
            made.append(Route("/sign-in/back", self._back))
        return made

    def _page(self, request: Request) -> Response:
        if request.state.person is not None:
            return RedirectResponse("/", 303)
        return self._ask(request)

    def _ask(self, request: Request, trouble: str = "", status: int = 200) -> Response:
        return render(
            request,
            "sign_in.html",
            status=status,
            has_room=self._door is not None,
            has_issuer=self._issuer is not None,
            trouble=trouble,
        )

    def _begin(self, request: Request) -> Response:
        assert self._door is not None  # noqa: S101 - or there would be no such route
        account = request.state.form.get("account", "").strip()
        try:
            ceremony = self._door.begin_sign_in(account)
        except DeniedError as error:
            return self._ask(request, error.reason, 403)
        shown = describe(ceremony)
        options = json.dumps(shown["options"])
        return render(request, "sign.html", words=shown["words"], options=options, expires=shown["expires"])

    def _complete(self, request: Request) -> Response:
        door = self._door
        assert door is not None  # noqa: S101 - or there would be no such route
        response = request.state.form.get("response", "")
        if not response:
            words = "the browser has asked no hardware key: the script of this page must be allowed"
            return self._ask(request, words, 400)
        try:
            account = str(door.ceremony(response).document.get("account"))
            done = door.complete(response, act="sign-in")
        except DeniedError as error:
            self._told("refused", rule=error.rule)
            return self._ask(request, error.reason, 403)
        assert done.secret is not None  # noqa: S101 - whoever signs in gets one
        secret = done.secret.reveal()

        def stands() -> bool:
            try:
                return door.signed_in(secret).id == account
            except DeniedError:
                return False

        cookie = self._sessions.begin(
            account, "hardware key", stands=stands, ended=lambda: end_session(door, secret)
        )
        self._told("signed-in", person=account, how="hardware key", entry=done.entry)
        return _with_cookie(RedirectResponse("/", 303), set_cookie(COOKIE, cookie))

    def _leave(self, request: Request) -> Response:
        """Off to the issuer. What must come back with the answer is in a cookie of its own."""
        assert self._issuer is not None  # noqa: S101 - or there would be no such route
        address, cookie = self._issuer.begin()
        return _with_cookie(RedirectResponse(address, 303), cookie)

    def _back(self, request: Request) -> Response:
        """From the issuer. The browser was sent here by another site, so it would not show a strict cookie
        after a redirect: the page leads on by itself."""
        assert self._issuer is not None  # noqa: S101 - or there would be no such route
        try:
            person = self._issuer.person(request.state.wire)
        except DeniedError as error:
            self._told("refused", rule=error.rule)
            return self._ask(request, error.reason, 403)
        cookie = self._sessions.begin(person, "issuer")
        self._told("signed-in", person=person, how="issuer")
        answer = _with_cookie(render(request, "back.html"), set_cookie(COOKIE, cookie))
        return _with_cookie(answer, self._issuer.forget())

    def _out(self, request: Request) -> Response:
        self._sessions.end(request.state.cookie)
        return _with_cookie(RedirectResponse("/sign-in", 303), drop_cookie(COOKIE))


def _with_cookie(response: Response, field: tuple[bytes, bytes]) -> Response:
    response.raw_headers.append(field)
    return response
