"""``immure access person``: people in the room."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from immure.cli.access_ceremony import conduct
from immure.cli.access_options import EXIT_CODES, FORMAT, LOG, ROOM, Acting, a_time, acting, opened
from immure.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from immure.access import Door

F = TypeVar("F", bound=Callable[..., Any])

_EPILOG = f"""
\b
Examples:
  immure access person add room prd-ada --person P-4711 --attester 'Example Screening Ltd' --level enhanced \\
      --screened 2026-10-01 --expires 2027-10-01 --reference 'case 12' --key file:log.key
  immure access person add room prd-alan --as prd-ada --person P-4712 …
  immure access person show room prd-ada
  immure access person suspend room prd-alan --as prd-ada --reason 'laptop stolen' --key file:log.key
{EXIT_CODES}"""


def screening_options(command: F) -> F:
    """The options that make up a screening record."""
    options = (
        click.option("--attester", metavar="NAME", help="Who attests the screening."),
        click.option("--level", metavar="LEVEL", help="To what level; one of the policy's."),
        click.option("--screened", metavar="TIME", help="When the person was screened: a day, or RFC 3339."),
        click.option("--expires", metavar="TIME", help="Until when that counts."),
        click.option("--reference", metavar="TEXT", help="Where the results are. They are not kept here."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def screening_of(attester: str, level: str, screened: str, expires: str, reference: str) -> dict[str, Any]:
    """The record that those options make up."""
    from immure.access.texts import spelled

    return {
        "attester": attester,
        "level": level,
        "screened": spelled(a_time(screened, "--screened")),
        "expires": spelled(a_time(expires, "--expires")),
        "reference": reference,
    }


@click.group(epilog=_EPILOG)
def person() -> None:
    """People in the room: each has one account of their own, and it is no corporate one."""


@person.command(epilog=_EPILOG)
@acting
@click.argument("account", metavar="ACCOUNT")
@click.option("--person", "human", metavar="ID", help="What whoever screens calls the human being.")
@click.option("--role", "roles", metavar="ROLE", multiple=True, help="What the policy knows them as.")
@screening_options
def add(how: Acting, account: str, human: str | None, roles: tuple[str, ...], **record: str) -> int:
    """Enrol a person; others must approve.

    Before the room is open this names a founder, and nobody signs: all founders sign all of it later. After
    that --as says who asks. The person's hardware keys are enrolled next (immure access key enrol), and then
    two others approve.
    """
    with opened(how.room, how.log, None) as door:
        founding = not door.open_for_requests
    if founding:
        how_to = Acting(how.room, how.uri, how.log, "founder", None, None, how.form, how.quiet)
        how_to.need(person=human, **record)
        return _found(how, account, str(human), roles, record)
    how.need(person=human, **record)

    def begin(door: Door) -> Any:
        screening = screening_of(**record)
        return door.request_enrolment(
            how.account, new=account, person=str(human), roles=roles, screening=screening
        )

    return conduct(how, "request", begin, lambda document: document["subject"].get("account") == account)


def _found(how: Acting, account: str, human: str, roles: tuple[str, ...], record: dict[str, str]) -> int:
    with opened(how.room, how.log, how.uri) as door:
        door.name_founder(account, human, roles=roles, screening=screening_of(**record))
    if how.form == "json":
        click.echo(json.dumps({"account": account, "state": "founder"}))
    elif not how.quiet:
        click.echo(f"{account}: founder; enrol two hardware keys next: immure access key enrol")
    return ExitCode.CLEAN


@person.command(epilog=EXIT_CODES)
@ROOM
@click.argument("account", metavar="[ACCOUNT]", required=False)
@LOG
@FORMAT
def show(room: str, account: str | None, log_path: str | None, form: str) -> int:
    """Show a person, or all: their screening, their keys, their workstations and where the keys of these are
    (proven to be in a TPM, or in software), and whether they may act now."""
    from immure.access import HardwareKey, Person, Workstation
    from immure.access.records import to_plain
    from immure.scanning.report.words import visible

    found = []
    with opened(room, log_path, None) as door:
        people = [door.record(Person, account)] if account else door.records(Person)
        for one in people:
            keys = [to_plain(key) for key in door.records(HardwareKey, about=one.id)]
            machines = [
                {**to_plain(machine), "protection": door.protection_of(machine.id)}
                for machine in door.records(Workstation, about=one.id)
            ]
            fault = door.person_fault(one.id)
            found.append((to_plain(one), keys, machines, fault and fault[1]))
    if form == "json":
        rows = [
            {**plain, "keys": keys, "workstations": machines, "fault": why}
            for plain, keys, machines, why in found
        ]
        click.echo(json.dumps({"people": rows}, indent=1, ensure_ascii=False))
        return ExitCode.CLEAN
    for plain, keys, machines, why in found:
        click.echo(visible(f"{plain['id']}  {plain['person']}  {plain['state']}"))
        click.echo(visible(f"  screened  {plain['level']} by {plain['attester']}, until {plain['expires']}"))
        for key in keys:
            click.echo(visible(f"  key       {key['model']}  {key['state']}  {key['id']}"))
        for here in machines:
            click.echo(
                f"  machine   {here['protection']}  {here['state']}  {here['id']}, until {here['ends']}"
            )
        click.echo(visible(f"  now       {why or 'may act'}"))
    return ExitCode.CLEAN


def _about_somebody(function: F) -> F:
    """A command by which somebody acts on another, and says why."""
    command = click.argument("account", metavar="ACCOUNT")(
        click.option("--reason", metavar="TEXT", help="Why.")(function)
    )
    return person.command(epilog=EXIT_CODES)(acting(command))  # type: ignore[return-value]


@_about_somebody
def suspend(how: Acting, account: str, reason: str | None) -> int:
    """Suspend a person at once: grants are revoked, sessions end. One person is enough; two can undo it."""
    how.need(reason=reason)
    return conduct(
        how,
        "suspend",
        lambda door: door.begin_suspension(how.account, account, str(reason)),
        lambda document: document["subject"] == account,
    )


@_about_somebody
def leave(how: Acting, account: str, reason: str | None) -> int:
    """Let a person go, for good: the account is never used again."""
    how.need(reason=reason)
    return conduct(
        how,
        "leave",
        lambda door: door.begin_leaving(how.account, account, str(reason)),
        lambda document: document["subject"] == account,
    )


@_about_somebody
def reinstate(how: Acting, account: str, reason: str | None) -> int:
    """Ask that a suspended person may come back; others must approve."""
    how.need(reason=reason)
    subject = {"account": account, "reason": str(reason)}
    return conduct(
        how,
        "request",
        lambda door: door.begin_request(how.account, "reinstate", subject),
        lambda document: (document["kind"], document["subject"].get("account")) == ("reinstate", account),
    )
