"""Django sites for the tests. A process has one set of settings, so they share it."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse
from django.test import override_settings
from django.utils.decorators import sync_only_middleware

from immure.integrations.django import Protect, claims, proxied_certificate, scopes
from integrations.doors import guard

#: What the setting IMMURE_GUARD names.
door = guard()

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        SECRET_KEY="of the tests",
        ROOT_URLCONF=(),
        MIDDLEWARE=[],
        INSTALLED_APPS=["rest_framework"],
        DATABASES={},
        USE_TZ=True,
        LOGGING_CONFIG=None,
        IMMURE_GUARD="integrations.django_site.door",
        REST_FRAMEWORK={
            "UNAUTHENTICATED_USER": None,
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
    )
    django.setup()


class OtherMiddleware(Protect):
    """With more scopes than the guard has."""

    scopes = ("mail.send",)


class OtherGuard(Protect):
    """With a guard of its own, and certificates from a proxy."""

    guard = guard(realm="other")

    def certificate(self, request: Any) -> bytes | None:
        return proxied_certificate(request)


@sync_only_middleware
def only_sync(get_response: Any) -> Any:
    """A middleware of the old kind."""
    return lambda request: get_response(request)


def application(patterns: list[Any], *, waits: bool = False, middleware: tuple[str, ...] = ()) -> Any:
    """A site of these addresses, as WSGI or (``waits``) ASGI has it."""
    handler: Any = ASGIHandler if waits else WSGIHandler
    site = type("Site", (handler,), {"request_class": _of_addresses(handler.request_class, patterns)})
    with override_settings(MIDDLEWARE=list(middleware)):
        return site()


def _of_addresses(request_class: type[Any], patterns: list[Any]) -> type[Any]:
    return type("Request", (request_class,), {"urlconf": tuple(patterns)})


def me(request: Any) -> JsonResponse:
    return JsonResponse({"subject": claims(request).subject, "scopes": sorted(scopes(request))})


async def waiting_me(request: Any) -> JsonResponse:
    return me(request)


def opened(_request: Any) -> JsonResponse:
    return JsonResponse({})
