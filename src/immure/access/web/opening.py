"""What is done on the page before the room is open: the set-up code is shown, and founders are named."""

from __future__ import annotations

from collections.abc import Callable

from immure.access.door import Door
from immure.access.errors import AccessError, DeniedError
from immure.access.web import founding, pages
from immure.access.web.doing import Doing
from immure.access.web.forms import Values
from immure.access.web.guard import SET_UP, Guard, set_cookie
from immure.access.web.setting_up import SettingUp
from immure.access.web.wire import Answer, Request, page_answer, redirect
from immure.errors import ImmureError, LogError


class Opening:
    """Pages of a room that nobody is in yet.

    Args:
        door, doing, guard, setting_up: of the server.
        told: is told what happens.
    """

    def __init__(
        self, door: Door, doing: Doing, guard: Guard, setting_up: SettingUp, told: Callable[..., None]
    ) -> None:
        self._door, self._doing, self._guard = door, doing, guard
        self._setting_up, self._told = setting_up, told

    def show(self, request: Request) -> Answer:
        """Who is a founder and what is missing; to who has not shown the code, where it is asked for."""
        self._setting_up.begin()
        visit, fields = self._guard.visit(request)
        if not self._guard.has_pass(request):
            return page_answer(200, founding.code_page(self._guard.token(visit)), fields)
        return page_answer(200, founding.founding_page(self._door), fields)

    def set_up(self, request: Request) -> Answer:
        """The set-up code is shown."""
        self._setting_up.begin()
        visit, fields = self._guard.visit(request)
        try:
            self._setting_up.check(request.form.get("code", ""))
        except DeniedError as error:
            self._told("refused", path=request.path, rule=error.rule)
            body = founding.code_page(self._guard.token(visit), (error.reason, error.rule))
            return page_answer(403, body, fields)
        return redirect("/", set_cookie(SET_UP, self._guard.pass_of(visit)))

    def form(self, request: Request) -> Answer:
        """The form by which a founder is named; the query fills it."""
        if self._door.open_for_requests or not self._guard.has_pass(request):
            return redirect("/")
        return self._form(request, request.query)

    def _form(self, request: Request, values: Values, error: ImmureError | None = None) -> Answer:
        visit, fields = self._guard.visit(request)
        rule = error.rule if isinstance(error, DeniedError) else ""
        fault = None if error is None else (error.reason, rule)
        levels = self._door.policy.people.levels
        body = founding.founder_page(self._guard.token(visit), values, levels, fault)
        return page_answer(200 if error is None else 403 if rule else 400, body, fields)

    def founder(self, request: Request) -> Answer:
        """A founder is named."""
        self._doing.need_pass(request)
        values = founding.read_founder(request.form)
        try:
            sentence = founding.name_founder(self._door, values)
        except (AccessError, LogError):
            raise
        except ImmureError as error:
            self._told("refused", path=request.path, rule=getattr(error, "rule", error.code))
            return self._form(request, values, error)
        self._told("founder", account=values["account"])
        return page_answer(200, pages.done_page(sentence, who="", token=""))
