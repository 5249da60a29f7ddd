"""gRPC: an interceptor for servers of threads, and one for servers of asyncio.

    guard = Guard(Validator(policy), audience="https://mail.example", channel="grpc")
    doors = Interceptor(guard, {"/mail.Mail/Send": ["mail.send"]}, public=["/grpc.health.v1.Health/"])
    server = grpc.server(ThreadPoolExecutor(), interceptors=[doors])

The token is in the metadata ``authorization``, as in HTTP; servicers ask :func:`claims`. Who is not let in
gets the status UNAUTHENTICATED, PERMISSION_DENIED (a scope is missing) or UNAVAILABLE (no keys now), and the
challenge of RFC 6750 in the trailing metadata ``www-authenticate``. DPoP needs a guard with an ``origin``; a
proof is for the method POST and the address ``https://host/service/method``.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from contextvars import ContextVar, copy_context
from typing import Any, Final

import grpc
import grpc.aio

from immure.errors import UsageError
from immure.integrations.address import address
from immure.integrations.bearer import Guard, Refusal, Request, scopes_of
from immure.integrations.environ import der
from immure.integrations.scopes import checked_scopes
from immure.tokens.claims import Claims

__all__ = ["AsyncInterceptor", "Interceptor", "claims", "scopes"]

Behaviour = Callable[[Any, Any], Any]

_CLAIMS: ContextVar[Claims | None] = ContextVar("immure_claims", default=None)
_STATUS: Final = {403: grpc.StatusCode.PERMISSION_DENIED, 503: grpc.StatusCode.UNAVAILABLE}
_READ: Final = ("authorization", "dpop")
_TOLD: Final = ("www-authenticate", "retry-after")
_END: Final = object()


def claims() -> Claims:
    """The claims of the token of the call that is being answered.

    Raises:
        UsageError: its method is public, or there is no interceptor.
    """
    found = _CLAIMS.get()
    if found is None:
        raise UsageError("this method is not protected: nobody looked at a token")
    return found


def scopes() -> frozenset[str]:
    """The scopes of that token; raises UsageError as :func:`claims`."""
    return scopes_of(claims())


class _Doors:
    """What both interceptors know and do."""

    def __init__(
        self, guard: Guard, scopes: Mapping[str, Sequence[str]] | None = None, *, public: Sequence[str] = ()
    ) -> None:
        self._guard = guard
        self._scopes = {_name(name): checked_scopes(asked) for name, asked in (scopes or {}).items()}
        self._public = frozenset(_name(name) for name in ([public] if isinstance(public, str) else public))

    def _is_public(self, method: str) -> bool:
        return method in self._public or _service(method) in self._public

    def _asked(self, method: str) -> list[str]:
        return [*self._scopes.get(_service(method), ()), *self._scopes.get(method, ())]

    def _enter(self, method: str, context: Any) -> Claims:
        """For handlers that are run in a thread."""
        try:
            return self._guard.check(_came(method, context), scopes=self._asked(method))
        except Refusal as refusal:
            context.set_trailing_metadata(_told(refusal))
            context.abort(_status(refusal), refusal.description)
            raise  # abort does not return

    async def _await_enter(self, method: str, context: Any) -> None:
        """For handlers that are run in the event loop."""
        try:
            _CLAIMS.set(await self._guard.acheck(_came(method, context), scopes=self._asked(method)))
        except Refusal as refusal:
            await context.abort(_status(refusal), refusal.description, _told(refusal))
            raise  # abort does not return

    def _in_thread(self, method: str, streams: bool, behaviour: Behaviour) -> Behaviour:
        """The handler behind the door, in a copy of the context: the thread goes on to serve others."""

        def one(request: Any, context: Any) -> Any:
            here = copy_context()
            here.run(_CLAIMS.set, self._enter(method, context))
            return here.run(behaviour, request, context)

        def many(request: Any, context: Any) -> Iterator[Any]:
            here = copy_context()
            here.run(_CLAIMS.set, self._enter(method, context))
            answers = iter(here.run(behaviour, request, context))
            try:
                while (answer := here.run(next, answers, _END)) is not _END:
                    yield answer
            finally:  # the client may have gone: what the handler does then, it does in its context too
                here.run(getattr(answers, "close", _nothing))

        return many if streams else one

    def _in_loop(self, method: str, streams: bool, behaviour: Behaviour) -> Behaviour:
        """The handler behind the door, in its own task."""

        async def one(request: Any, context: Any) -> Any:
            await self._await_enter(method, context)
            return await behaviour(request, context)

        async def many(request: Any, context: Any) -> AsyncIterator[Any]:
            await self._await_enter(method, context)
            async with aclosing(behaviour(request, context)) as answers:
                async for answer in answers:
                    yield answer

        return many if inspect.isasyncgenfunction(behaviour) else one


class Interceptor(_Doors, grpc.ServerInterceptor):  # type: ignore[misc]
    """For ``grpc.server``. The check is done where the handler runs, as it may wait for keys.

    Args:
        guard: who lets in.
        scopes: by method, or by service (``/mail.Mail/``): what it needs besides the guard's.
        public: methods and services that are for anybody.

    Raises:
        UsageError: these are no scopes, or no names of methods.
    """

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler, behind the door."""
        handler = continuation(details)
        if handler is None or self._is_public(details.method):
            return handler
        return _rebuilt(handler, lambda streams, inner: self._in_thread(details.method, streams, inner))


class AsyncInterceptor(_Doors, grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """For ``grpc.aio.server``, with the same arguments. Other handlers than coroutines run in threads."""

    async def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler, behind the door."""
        handler = await continuation(details)
        if handler is None or self._is_public(details.method):
            return handler
        return _rebuilt(handler, lambda streams, inner: self._wrapped(details.method, streams, inner))

    def _wrapped(self, method: str, streams: bool, inner: Behaviour) -> Behaviour:
        waits = inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
        return (self._in_loop if waits else self._in_thread)(method, streams, inner)


def _rebuilt(handler: Any, wrap: Callable[[bool, Behaviour], Behaviour]) -> Any:
    """The same handler with its behaviour wrapped; there are four kinds."""
    ways = [
        ("unary", "stream")[streams] for streams in (handler.request_streaming, handler.response_streaming)
    ]
    kind = "_".join(ways)
    return getattr(grpc, f"{kind}_rpc_method_handler")(
        wrap(bool(handler.response_streaming), getattr(handler, kind)),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _came(method: str, context: Any) -> Request:
    given = context.invocation_metadata() or ()
    authorization, dpop = ([str(value) for key, value in given if key == name] for name in _READ)
    pem = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    where = address("https", "", method)  # what clients call us is the guard's to know: its origin
    return Request("POST", where, authorization, dpop, der(pem))


def _nothing() -> None:
    """For iterators that cannot be closed."""


def _status(refusal: Refusal) -> Any:
    return _STATUS.get(refusal.status, grpc.StatusCode.UNAUTHENTICATED)


def _told(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    told = [(name.lower(), value) for name, value in refusal.headers]
    return tuple((name, value) for name, value in told if name in _TOLD)


def _service(method: str) -> str:
    return method[: method.rfind("/") + 1]


def _name(name: str) -> str:
    parts = name.split("/")
    if len(parts) != 3 or parts[0] or not parts[1]:
        raise UsageError(f"this is neither /service/method nor /service/: {name[:200]!a}")
    return name
