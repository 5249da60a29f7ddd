"""States of detection with rows that a test gives, and the same counted by plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from immure.detections.ingest import write_rows
from immure.detections.records import Acceptance, MailAccess, batch_of
from immure.detections.state import State
from immure.response.radius import BlastRadius
from immure.response.radius_settings import Known, RadiusSettings
from immure.response.radius_work import work_out

BEGIN, END = 1_790_000_000, 1_790_086_400
ISSUER = "https://login.example"


def digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def used(number: int, at: int = 60, **members: Any) -> Acceptance:
    """The acceptance of token ``number``, so many seconds after the beginning."""
    given = {
        "time": (BEGIN + at) * 1_000_000, "source": "acceptance-log", "record_id": f"a{number}-{at}",
        "verdict": "accepted", "digest": digest(number), "iss": ISSUER, "kid": "k1", "sub": f"user-{number}",
        "tenant": "contoso", "iat": BEGIN + at - 10, "relying_party": "mail", "aud": ["https://mail.example"],
        **members,
    }  # fmt: skip
    return Acceptance(**given)


def read(number: int, at: int = 120, **members: Any) -> MailAccess:
    """A record of a mailbox, which names token ``number``."""
    given = {
        "time": (BEGIN + at) * 1_000_000, "source": "m365", "record_id": f"m{number}-{at}",
        "operation": "MailItemsAccessed", "action": "bind", "mailbox": "ada@contoso.example",
        "tenant": "contoso", "digest": digest(number), "messages": [f"<{number}@x>"], "folders": ["Inbox"],
        **members,
    }  # fmt: skip
    return MailAccess(**given)


def state_of_rows(place: Path, accepted: Iterable[Acceptance] = (), mail: Iterable[MailAccess] = ()) -> State:
    state = State(place)
    for kind, rows in (("acceptance", list(accepted)), ("mail", list(mail))):
        if rows:
            name = state.new_name(kind)
            count = write_rows(state, name, kind, [batch_of(kind, rows)])  # type: ignore[arg-type]
            state.add_part(name, kind, count, "judged", seen=True)
    return state


def radius_of(
    place: Path,
    accepted: Iterable[Acceptance] = (),
    mail: Iterable[MailAccess] = (),
    known: Known | None = None,
    **members: Any,
) -> BlastRadius:
    """The radius of key k1 over some rows, in a day."""
    given = {"begin": BEGIN, "end": END, "silence": 86_400, "threads": 1, **members}
    settings = RadiusSettings(given.pop("kid", "k1"), given.pop("issuer", ISSUER), **given)
    with state_of_rows(place, accepted, mail) as state:
        return work_out(state, settings, known or Known())


def counted(rows: Sequence[Acceptance], kid: str = "k1") -> dict[str, int]:
    """Distinct tokens of a key by tenant: what a radius without a ledger says."""
    found: dict[str, set[bytes | str]] = defaultdict(set)
    for row in rows:
        inside = BEGIN * 1_000_000 <= row.time < END * 1_000_000
        if row.verdict == "accepted" and row.kid == kid and inside:
            found[row.tenant or ""].add(row.digest or row.token_id or row.record_id)
    return {tenant: len(tokens) for tenant, tokens in found.items()}
