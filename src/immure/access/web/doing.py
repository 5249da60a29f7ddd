"""Doing something: from the form, by what will be signed, to what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from immure.access.ceremonies import Ceremony
from immure.access.completing import Done
from immure.access.door import Door
from immure.access.errors import AccessError, DeniedError
from immure.access.records import Grant, Session
from immure.access.room import FOUNDING, deny
from immure.access.texts import encode
from immure.access.web import looking, pages
from immure.access.web.deeds import deed_of
from immure.access.web.forms import Deed, Values
from immure.access.web.guard import LOOK, Guard, set_cookie
from immure.access.web.present import Present
from immure.access.web.setting_up import SettingUp
from immure.access.web.tools import Tools
from immure.access.web.wire import Answer, Request, WireError, page_answer, redirect
from immure.errors import ImmureError, LogError

#: Acts that nobody needs to have signed in for.
_ALONE: Final = ("sign-in", "register", "found")


class Doing:
    """Deeds of the page.

    Args:
        door, present, guard, setting_up, tools: of the server.
        told: is told what happens.
    """

    def __init__(
        self,
        door: Door,
        present: Present,
        guard: Guard,
        setting_up: SettingUp,
        tools: Tools,
        told: Callable[..., None],
    ) -> None:
        self._door, self._present, self._guard = door, present, guard
        self._setting_up, self._tools, self._told = setting_up, tools, told

    def form(self, request: Request, name: str) -> Answer:
        """The form of a deed; the query fills it."""
        deed, who = deed_of(name), self._present.who(request)
        if not self._let_in(request, deed, who):
            return redirect("/")
        begun = {"text": looking.door_policy(self._door)} if name == "policy" else {}
        return self._deed_page(request, name, {**begun, **request.query}, who)

    def _let_in(self, request: Request, deed: Deed, who: str) -> bool:
        if deed.founding:
            return not self._door.open_for_requests and self._guard.has_pass(request)
        return deed.alone or bool(who)

    def _deed_page(
        self, request: Request, name: str, values: Values, who: str, error: ImmureError | None = None
    ) -> Answer:
        visit, fields = self._guard.visit(request)
        rule = error.rule if isinstance(error, DeniedError) else ""
        body = pages.deed_page(
            name,
            deed_of(name),
            values,
            who=who,
            token=self._guard.token(visit),
            levels=self._door.policy.people.levels,
            fault=None if error is None else (error.reason, rule),
        )
        status = 200 if error is None else 403 if isinstance(error, DeniedError) else 400
        return page_answer(status, body, fields)

    def begin(self, request: Request, name: str) -> Answer:
        """A deed begins: what will be signed, in words. What the door says no to is said above the form."""
        deed = deed_of(name)
        if deed.founding:
            self.need_pass(request)
        who = self._present.who(request) if deed.alone else self._present.person(request).id
        given = read_fields(deed, request.form)
        here = self._present.here(request, who)
        if name == "sign-in" and not self._present.is_known(here.workstation):
            here = replace(here, workstation="")  # it can still be used to look
        try:
            ceremony = deed.begin(self._door, here, given)
        except (AccessError, LogError):
            raise
        except ImmureError as error:
            self._told("refused", path=request.path, rule=getattr(error, "rule", error.code))
            return self._deed_page(request, name, given, who, error)
        visit, fields = self._guard.visit(request)
        text = looking.policy_text(self._door, ceremony)
        return page_answer(
            200, pages.sign_page(ceremony, who=who, token=self._guard.token(visit), text=text), fields
        )

    def need_pass(self, request: Request) -> None:
        """Say no to who founds a room that is open, or has not shown its set-up code."""
        if self._door.open_for_requests:
            deny("founding", "the room is open already")
        if not self._guard.has_pass(request):
            deny("set-up-code", "the set-up code of this room was not shown")

    def complete(self, request: Request) -> Answer:
        """The response of the hardware key is there."""
        response = request.form.get("response", "")
        if not response:
            raise WireError(
                400, "the browser has asked no hardware key: the script of this page must be allowed"
            )
        ceremony = self._door.ceremony(response)
        who = self._present.who(request)
        if (
            ceremony.act not in _ALONE
            and ceremony.document.get("account") != self._present.person(request).id
        ):
            raise DeniedError("what was signed is somebody else's", rule="account")
        if _is_founding(ceremony):
            self.need_pass(request)
        done = self._door.complete(response, act=ceremony.act)
        self._told("done", act=done.act, id=done.id, state=done.state, entry=done.entry)
        if done.act == "sign-in" and done.secret is not None:
            return redirect("/", set_cookie(LOOK, encode(done.secret.reveal())))
        if done.act == "found":
            self._setting_up.begin()  # with the last founder the code is gone
        return self._done(request, who, done)

    def _done(self, request: Request, who: str, done: Done) -> Answer:
        link = None
        if done.act == "enter" and done.secret is not None:
            grant = self._door.record(Grant, self._door.record(Session, done.id).grant)
            link = self._tools.hand_over(grant, done.secret.reveal())
        visit, fields = self._guard.visit(request)
        silent = [f"not heard: {one}" for one in done.silent]
        sentence = f"{done.act} {done.id}: {done.state} (entry {done.entry} of the log)"
        token = self._guard.token(visit)
        return page_answer(200, pages.done_page(sentence, silent, who=who, token=token, link=link), fields)


def read_fields(deed: Deed, form: Values) -> dict[str, str]:
    """What a form says, for each field of a deed. Browsers send CR LF for the end of a line (HTML, "form
    submission"); nothing else is changed in what has many lines."""
    given = {}
    for field in deed.fields:
        text = form.get(field.name, "").replace("\r\n", "\n")
        given[field.name] = text if field.kind == "code" else text.strip()
    return given


def _is_founding(ceremony: Ceremony) -> bool:
    return ceremony.act == "found" or (
        ceremony.act == "register" and ceremony.document.get("request") == FOUNDING
    )
