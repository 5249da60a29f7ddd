"""Django REST framework: an authentication class, and permission classes for scopes.

    class Outbox(APIView):
        authentication_classes = [BearerAuthentication]
        permission_classes = [has_scopes("mail.send")]

        def get(self, request):
            return Response({"of": request.auth.subject})

``request.auth`` are the claims, ``request.user`` a :class:`TokenUser`. The guard is the one of the setting
``IMMURE_GUARD``; for another, derive from the class and set ``guard``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission

from immure.integrations.bearer import Guard, Refusal
from immure.integrations.django import admission_of, claims, configured_guard, enter, scopes, tls_certificate
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

__all__ = ["BearerAuthentication", "TokenUser", "claims", "has_scopes", "scopes"]


class Refused(APIException):  # type: ignore[misc]
    """A refusal, as the framework answers it: it knows status, challenge (``auth_header``) and ``wait``."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(detail=json.loads(refusal.body()), code=refusal.rule)
        headers = dict(refusal.headers)
        self.status_code = refusal.status
        self.auth_header = headers.get("WWW-Authenticate")
        self.wait = int(headers.get("Retry-After", 0))


class BearerAuthentication(BaseAuthentication):  # type: ignore[misc]
    """Authenticates by the token in the ``Authorization`` header.

    Unlike the framework's own, it refuses a request without a token, as a view whose permissions were
    forgotten would otherwise be open to all. It goes behind other classes, which then had their turn.

    Attributes:
        guard: if not the one of the settings.
        scopes: that every request needs besides the guard's.
        optional: whether requests without a token are let through to the permissions, as nobody's.
    """

    guard: Guard | None = None
    scopes: Sequence[str] = ()
    optional = False

    def authenticate(self, request: Any) -> tuple[Any, Claims] | None:
        """The user and the claims; raises Refused."""
        try:
            admission = enter(self._guard(), request._request, checked_scopes(self.scopes), self.certificate)
        except Refusal as refusal:
            if self.optional and refusal.rule == "token-absent":
                return None
            _not_to_be_kept(request)
            raise Refused(refusal) from refusal
        return self.user(admission.claims), admission.claims

    def authenticate_header(self, request: Any) -> str:
        """The challenge for requests without a token, if a permission says no."""
        return dict(self._guard().answers.no_token().headers)["WWW-Authenticate"]

    def user(self, claims: Claims) -> Any:
        """Whom the claims are of; override it to find one of the site's users."""
        return TokenUser(claims)

    def certificate(self, request: Any) -> bytes | None:
        """The client's, DER, for a request of Django; override it if a proxy passes it on."""
        return tls_certificate(request)

    def _guard(self) -> Guard:
        return self.guard or configured_guard()


class TokenUser:
    """The holder of a token, who is nobody in the site's database.

    Attributes:
        claims: of the token.
        pk: a digest of issuer, tenant and subject, by which the framework's throttles count.
    """

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        who = [claims.issuer, claims.tenant, claims.subject, claims.get("client_id", claims.get("azp"))]
        self.pk = hashlib.sha256(json.dumps(who).encode()).hexdigest()

    def get_username(self) -> str:
        """The subject, which is a name within its issuer only."""
        return self.claims.subject or ""

    __str__ = get_username


def has_scopes(*scopes: str) -> type[Any]:
    """A permission class: the request's token has these scopes.

    It answers 403 with the challenge of RFC 6750 itself. So in ``A | B`` it must be B: it would not let the
    other be asked.

    Raises:
        UsageError: these are no scopes.
    """
    asked = checked_scopes(scopes)

    class HasScopes(BasePermission):  # type: ignore[misc]
        """The request's token has the scopes."""

        def has_permission(self, request: Any, view: Any) -> bool:
            """Whether there is a token; raises Refused if it lacks a scope."""
            admission = admission_of(request)
            if admission is None:
                return False
            try:
                admission.guard.check_scopes(admission.claims, asked)
            except Refusal as refusal:
                _not_to_be_kept(request)
                raise Refused(refusal) from refusal
            return True

    return HasScopes


def _not_to_be_kept(request: Any) -> None:
    """``Cache-Control: no-store``, which an exception of the framework cannot carry, but its view can."""
    view = request.parser_context.get("view")
    if view is not None:
        view.headers = {**view.headers, "Cache-Control": "no-store"}
