"""Without the extra: what is missing is named, and nothing is begun."""

from __future__ import annotations

import sys

import pytest

from immure.response.errors import ResponseError
from immure.response.notification import rendering
from immure.response.notification.rendering import Templates
from immure.response.notification.sending import send_letters
from immure.response.notification.settings import Hooks, Pace
from immure.response.notification.webhook import WebhookCourier
from immure.secret import Secret
from response.notification.conftest import Open
from response.notification.making import FABRIKAM, prepared, settings


def test_letters_without_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    rendering._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ResponseError, match=r"pip install 'immure\[respond\]'"):
        Templates()


def test_mail_without_aiosmtplib(open_incident: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = open_incident(FABRIKAM)
    given = settings(pace=Pace(attempts=1))
    prepared(incident, given)
    before = len(incident.entries())
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)
    with pytest.raises(ResponseError, match=r"pip install 'immure\[respond\]'"):
        send_letters(incident, given, actor="ann")
    assert len(incident.entries()) == before


def test_webhooks_without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ResponseError, match=r"pip install 'immure\[respond\]'"):
        WebhookCourier(Hooks(), "a", Secret(bytes(32)), lambda: 0)
