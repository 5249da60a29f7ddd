"""``immure access key``: hardware keys."""

from __future__ import annotations

import click

from immure.cli.access_ceremony import conduct, leave, read_response, show, tell
from immure.cli.access_extra import need_extra
from immure.cli.access_options import EXIT_CODES, Acting, a_time, acting, opened
from immure.cli.exit_codes import ExitCode
from immure.errors import UsageError

_EPILOG = f"""
\b
Examples:
  immure access key enrol room prd-ada --key file:log.key
  immure access key enrol room prd-alan --request k3abcdefghijklmn --key file:log.key
  immure access key add room prd-ada --as prd-ada --key file:log.key
  immure access key lost room CREDENTIAL --since 2026-11-29T18:00:00Z --as prd-ada --key file:log.key
{EXIT_CODES}"""


@click.group(epilog=_EPILOG)
def key() -> None:
    """Hardware keys: at least two for each person, of models that the policy names."""


@key.command(epilog=_EPILOG)
@acting
@click.argument("account", metavar="ACCOUNT")
@click.option(
    "--request", "request", metavar="ID", help="The request that brings the key. [default: the founding]"
)
def enrol(how: Acting, account: str, request: str | None) -> int:
    """Register a hardware key: a founder's, or one for a request that waits for keys.

    The key makes a credential and proves by attestation of what model it is. It can do nothing until others
    have approved it. With --options and --assertion it is made elsewhere: in a browser, for instance.
    """
    from immure.access import FOUNDING

    need_extra()
    with opened(how.room, how.log, how.uri) as door:
        if how.assertion is not None:
            response = read_response(how.assertion)
            if door.ceremony(response).document.get("account") != account:
                raise UsageError("the response is to another ceremony than the one that this command names")
            tell(door.complete(response, act="register"), how)
            return ExitCode.CLEAN
        ceremony = door.begin_registration(account, request or FOUNDING)
        if how.options is not None:
            return leave(ceremony, how)
        from immure.cli.access_usb import make_credential

        show(ceremony)
        tell(door.complete(make_credential(ceremony, door.policy.party.origins[0]), act="register"), how)
    return ExitCode.CLEAN


@key.command(epilog=EXIT_CODES)
@acting
@click.argument("account", metavar="ACCOUNT")
def add(how: Acting, account: str) -> int:
    """Ask for one more hardware key for a person; it is enrolled next, and then others approve."""
    how.need()
    return conduct(
        how,
        "request",
        lambda door: door.begin_request(how.account, "key", {"account": account}),
        lambda document: (document["kind"], document["subject"].get("account")) == ("key", account),
    )


@key.command(epilog=EXIT_CODES)
@acting
@click.argument("credential", metavar="CREDENTIAL")
@click.option("--since", metavar="TIME", help="Since when it may be in other hands: a day, or RFC 3339.")
def lost(how: Acting, credential: str, since: str | None) -> int:
    """Report a hardware key as lost or stolen: what it has done since then is undone.

    Grants that it has asked for or approved are revoked, sessions that it has opened end, and whoever was
    enrolled with its approval is suspended. CREDENTIAL is its id, which immure access person show prints.
    """
    how.need(since=since)
    return conduct(
        how,
        "lost-key",
        lambda door: door.begin_lost_key(how.account, credential, a_time(str(since), "--since")),
        lambda document: document["credential"] == credential,
    )
