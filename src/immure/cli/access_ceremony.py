"""A ceremony in a terminal: the words, the hardware key, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from immure.cli.access_options import Acting, opened, read_file
from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import open_output
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.access import Ceremony, Done, Door

Begin = Callable[["Door"], "Ceremony"]
Fits = Callable[[Mapping[str, Any]], bool]


def conduct(how: Acting, act: str, begin: Begin, fits: Fits = lambda _: True) -> int:
    """Begin a ceremony, let a hardware key sign, and complete it; or one half of that.

    Args:
        how: who acts, and whether by a key that is plugged in or by files.
        act: what the ceremony is for.
        begin: begins it.
        fits: whether a document that a response belongs to is the one that the command line names.
    """
    with opened(how.room, how.log, how.uri) as door:
        if how.assertion is not None:
            return _finish(door, how, act, read_response(how.assertion), fits)
        ceremony = begin(door)
        if how.options is not None:
            return leave(ceremony, how)
        show(ceremony)
        return _finish(door, how, act, _ask_key(door, ceremony), fits)


def _finish(door: Door, how: Acting, act: str, response: bytes | Mapping[str, Any], fits: Fits) -> int:
    ceremony = door.ceremony(response)
    document = ceremony.document  # of another act it may have none of the members that are compared
    if ceremony.act != act or not fits(document) or how.account not in ("", document.get("account")):
        raise UsageError("the response is to another ceremony than the one that this command names")
    done = door.complete(response, act=act)
    tell(done, how)
    return ExitCode.CLEAN


def read_response(path: str) -> bytes:
    """A WebAuthn response from a file; raises UsageError."""
    from immure.access.webauthn.response import MOST_BYTES

    return read_file(path, MOST_BYTES)


def leave(ceremony: Ceremony, how: Acting) -> int:
    """Write what is to be signed, and say it in words."""
    from immure.access.asking import describe

    with open_output(how.options) as stream:
        stream.write(json.dumps(describe(ceremony), indent=1, ensure_ascii=False) + "\n")
    if not how.quiet:
        show(ceremony)
        say(f"{how.options} has what is to be signed, within five minutes")
    return ExitCode.CLEAN


def show(ceremony: Ceremony) -> None:
    """The words that a person must have read before they touch their key."""
    from immure.scanning.report.words import visible

    for line in ceremony.words:
        click.echo(visible(line), err=True)


def _ask_key(door: Door, ceremony: Ceremony) -> Mapping[str, Any]:
    from immure.cli.access_usb import get_assertion

    return get_assertion(ceremony, door.policy.party.origins[0])


def tell(done: Done, how: Acting) -> None:
    """What came of it."""
    for alarm in done.silent:
        say(f"not heard: {alarm}")
    if how.form == "json":
        click.echo(json.dumps({"act": done.act, "id": done.id, "state": done.state, "entry": done.entry}))
    elif not how.quiet:
        click.echo(f"{done.act} {done.id}: {done.state} (entry {done.entry} of the log)")
