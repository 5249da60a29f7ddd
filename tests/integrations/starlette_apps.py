"""The resource of :mod:`integrations.doors` in Starlette, protected in each of the ways that there are."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from immure.integrations.bearer import protected_resource_metadata
from immure.integrations.starlette import (
    Backend,
    Protect,
    claims,
    metadata_route,
    on_error,
    protect,
    scopes,
)
from integrations.doors import down_guard, guard
from tokens.minting import MAIL

DOCUMENT = protected_resource_metadata(MAIL, ["https://login.example"], scopes=["mail.send"])


DOOR = guard()


def describe(request):
    return JSONResponse({"subject": claims(request).subject, "scopes": sorted(scopes(request))})


async def adescribe(request):
    return describe(request)


async def anybody(_request):
    return PlainTextResponse("anybody")


async def talk(websocket):
    await websocket.accept()
    await websocket.send_text(claims(websocket)["sub"])
    await websocket.close()


class Inbox(HTTPEndpoint):
    """A class whose methods are protected one by one."""

    @protect(DOOR)
    async def get(self, request):
        return describe(request)

    @protect(DOOR, ["mail.send"])
    def post(self, request):
        return describe(request)


def decorated():
    """Each endpoint for itself."""
    door = guard()
    return Starlette(
        routes=[
            Route("/open", anybody),
            Route("/me", protect(door)(describe)),
            Route("/send", protect(door, ["mail.send"])(adescribe), methods=["GET", "POST"]),
            Route("/down", protect(down_guard())(adescribe)),
            Route("/inbox", Inbox),
            WebSocketRoute("/talk", protect(door)(talk)),
            metadata_route(DOCUMENT),
        ]
    )


def wrapped():
    """The whole app, and an endpoint that wants more; beside an app without keys."""
    door = guard()
    app = Starlette(
        routes=[
            Route("/open", anybody),
            Route("/me", describe),
            Route("/send", protect(door, ["mail.send"])(describe), methods=["GET", "POST"]),
            Route("/required", requires("mail.send")(describe)),
            WebSocketRoute("/talk", talk),
        ],
        middleware=[Middleware(Protect, guard=door, public=["/open"], metadata=DOCUMENT)],
    )
    return Starlette(routes=[Route("/down", Protect(app, down_guard())), Mount("/", app)])


def authenticated():
    """Starlette's own middleware and decorator."""

    def whoami(request):
        user = request.user
        return JSONResponse(
            {"subject": user.display_name, "identity": user.identity, "iss": user.claims["iss"]}
        )

    return Starlette(
        routes=[
            Route("/open", anybody),
            Route("/me", requires("authenticated")(whoami)),
            Route("/send", requires(["authenticated", "mail.send"])(whoami)),
            WebSocketRoute("/talk", requires("authenticated")(talk)),
        ],
        middleware=[Middleware(AuthenticationMiddleware, backend=Backend(guard()), on_error=on_error)],
    )
