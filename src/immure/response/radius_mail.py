"""What was done in mailboxes with the tokens that count.

A mailbox record is the thief's if it names such a token: by digest, by identifier, or, where it names
neither, by session; or if a person has said that its application or address is the thief's. A record that
names none of these cannot be told apart: where a tenant has both such records and forged tokens, their time
is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from immure.detections.engine import Engine, quoted
from immure.response.radius import Interval, Mailbox
from immure.response.radius_settings import RadiusSettings
from immure.scanning.report.words import count_words

#: Seconds for which a mailbox is not logged once its log says that it is throttled.
THROTTLED: Final = 86_400
_NAMES: Final = """
CREATE OR REPLACE TEMP TABLE mail_names AS
SELECT DISTINCT digest, token_id, session FROM raw_mail
WHERE (digest IS NOT NULL OR token_id IS NOT NULL OR session IS NOT NULL) AND {span}"""
_COLUMNS: Final = "m.record_id, m.time, m.action, m.folders, m.messages, m.mailbox, m.mailbox_id, m.user"
_BY: Final = """
SELECT {columns}, coalesce(m.tenant, h.tenant, '') AS tenant
FROM raw_mail m
JOIN (SELECT {name}, max(tenant) AS tenant FROM hits WHERE {name} IS NOT NULL GROUP BY {name}) h
  ON h.{name} = m.{name}
WHERE m.succeeded IS DISTINCT FROM false AND {span}{more}"""
_SAID: Final = """
SELECT {columns}, coalesce(m.tenant, '') AS tenant FROM raw_mail m
WHERE m.succeeded IS DISTINCT FROM false AND {span} AND ({said})"""
_TOUCHED: Final = """
CREATE OR REPLACE TEMP TABLE touched AS
SELECT * FROM ({parts}) QUALIFY row_number() OVER (PARTITION BY record_id) = 1"""
_MAILBOXES: Final = """
SELECT tenant, coalesce(mailbox, mailbox_id, user, '') AS box, count(*),
       coalesce(list_sort(list_distinct(flatten(list(messages) FILTER (messages IS NOT NULL)))), []),
       coalesce(list_sort(list_distinct(flatten(list(folders) FILTER (action = 'sync' AND folders IS NOT NULL)
       ))), []),
       min(epoch_us(time)) // 1000000, max(epoch_us(time)) // 1000000
FROM touched GROUP BY tenant, box ORDER BY tenant, box"""
_THROTTLED: Final = """
SELECT coalesce(tenant, ''), coalesce(mailbox, ''), source, epoch_us(time) // 1000000
FROM raw_mail WHERE throttled AND {span} ORDER BY time"""
_NAMELESS: Final = """
SELECT coalesce(tenant, ''), count(*), min(epoch_us(time)) // 1000000, max(epoch_us(time)) // 1000000
FROM raw_mail WHERE {nameless} AND throttled IS DISTINCT FROM true AND {span} GROUP BY 1"""


@dataclass(slots=True)
class Mail:
    """What was found, by tenant.

    Attributes:
        mailboxes: that were touched.
        seen: first and last time.
        unknown: intervals in which the logs were silent.
        nameless: intervals in which there are records that name no token.
        everywhere: intervals that are unknown for all tenants.
    """

    mailboxes: dict[str, list[Mailbox]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    unknown: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))
    nameless: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))
    everywhere: list[Interval] = field(default_factory=list)


def name_tokens(engine: Engine, span: str) -> None:
    """Make the table ``mail_names``: the tokens that mailbox records (the view ``raw_mail``) name."""
    engine.run(_NAMES.format(span=span))


def read_mailboxes(
    engine: Engine, settings: RadiusSettings, span: str, named_by: Iterable[str], begin: int
) -> Mail:
    """What was done with the tokens of the table ``hits``.

    Args:
        named_by: by what the tokens that count are named, in the logs of acceptances.
        begin: of the time that is looked at.
    """
    made = Mail()
    _touch(engine, settings, span)
    for tenant, box, count, messages, folders, first, last in engine.rows(_MAILBOXES):
        made.mailboxes[tenant].append(Mailbox(box, tuple(messages), tuple(folders), count))
        before = made.seen.get(tenant, (first, last))
        made.seen[tenant] = min(first, before[0]), max(last, before[1])
    _throttles(engine, made, span, begin)
    nameless = " AND ".join(f"{name} IS NULL" for name in sorted(named_by)) or "true"
    for tenant, count, first, last in engine.rows(_NAMELESS.format(nameless=nameless, span=span)):
        words = f"{count_words(count, 'mailbox record')} without a token's name: whose they are is not known"
        made.nameless[tenant].append(Interval(first, last + 1, words))
    return made


def _touch(engine: Engine, settings: RadiusSettings, span: str) -> None:
    """Make the table ``touched``: each record once."""
    more = {"digest": "", "token_id": "", "session": " AND m.digest IS NULL AND m.token_id IS NULL"}
    parts = [_BY.format(columns=_COLUMNS, name=name, span=span, more=and_) for name, and_ in more.items()]
    said = [*_among("m.app", settings.apps), *_among("m.client_app", settings.apps),
            *_among("m.ip", settings.addresses)]  # fmt: skip
    if said:
        parts.append(_SAID.format(columns=_COLUMNS, span=span, said=" OR ".join(said)))
    engine.run(_TOUCHED.format(parts=" UNION ALL ".join(parts)))


def _among(column: str, values: Sequence[str]) -> Iterator[str]:
    if values:
        yield f"{column} IN ({', '.join(map(quoted, values))})"


def _throttles(engine: Engine, made: Mail, span: str, begin: int) -> None:
    rows: list[tuple[Any, ...]] = list(engine.rows(_THROTTLED.format(span=span)))
    for tenant, box, source, moment in rows:
        if source == "dovecot":  # a gap lies before the record that says so
            sql = (
                "SELECT max(epoch_us(time)) // 1000000 FROM raw_mail WHERE source = ? AND epoch_us(time) < ?"
            )
            (before,) = engine.one(sql, (source, moment * 1_000_000))
            one = Interval(begin if before is None else before, moment + 1, "the mailbox log has a gap here")
        else:
            words = f"logging of the mailbox {box or '(unnamed)'} stopped: throttled"
            one = Interval(moment, moment + THROTTLED, words)
        (made.unknown[tenant] if tenant else made.everywhere).append(one)
