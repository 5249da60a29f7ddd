"""Our server goes away and comes back, while those that ask it run on with the connections that they had."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from introspection.real.cases import fresh
from introspection.real.clients import IN, Mail
from introspection.real.mail import dovecot_asking
from introspection.real.proxies import RUNNING, proxying
from introspection.real.service import serving
from servers.smtp import Relay
from servers.tls import Authority, Pair
from servers.upstream import Upstream

pytestmark = pytest.mark.real


def test_our_server_comes_back(authority: Authority, certificate: Pair, relay: Relay, application: Upstream):
    mail = Mail("OAUTHBEARER", authority.context())
    with ExitStack() as stack:
        service = stack.enter_context(serving())
        asking = dovecot_asking(service.port, service.secret, certificate, relay)
        dovecot = stack.enter_context(asking)
        proxies = [stack.enter_context(proxying(name, service.port, application)) for name in RUNNING]

        def outcomes() -> list[str | int]:
            return [mail.imap(dovecot.imap, fresh()), *(proxy.ask(fresh()).status for proxy in proxies)]

        assert outcomes() == [IN, 200, 200, 200]
        service.program.stop()
        assert outcomes() == ["internal_failure", 503, 503, 502]
        stack.enter_context(serving(port=service.port, secret=service.secret))
        assert outcomes() == [IN, 200, 200, 200]
