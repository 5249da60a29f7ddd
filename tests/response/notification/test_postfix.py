"""Letters to Postfix as it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.response.notification.history import State
from immure.response.notification.sending import send_letters
from mail.postfix import postfix
from response.notification.conftest import Open
from response.notification.making import CONTOSO, FABRIKAM, prepared, settings
from servers.program import directory


@pytest.mark.drill  # it takes Postfix seconds to start and to stop
def test_postfix_takes_them(open_incident: Open, tmp_path: Path) -> None:
    incident = open_incident(CONTOSO, FABRIKAM)
    with directory(readable=True) as base, postfix(base, "maximal_queue_lifetime = 0") as port:
        given = settings(port)
        letters = prepared(incident, given).letters
        found = send_letters(incident, given, actor="ann")
        log = (base / "log").read_text()
    assert [one.state for one in found.deliveries] == [State.SENT] * 3, [
        one.detail for one in found.deliveries
    ]
    assert all("queued as" in one.detail for one in found.deliveries)
    for one in letters.deliveries:
        assert log.count(f"message-id={one.message_id}") == 1
