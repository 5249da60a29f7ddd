"""``immure mail check``: bring good and out-of-scope tokens to a mail server of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.output import check_writable, open_output
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.mail.capabilities import Entrance
    from immure.mail.check import Attempt, Door

_MOST_TOKEN: Final = 64 << 10
_MECHANISMS: Final = ("XOAUTH2", "OAUTHBEARER")
_EPILOG = """
HOST must be yours, and be named once more by --i-own-this. Tokens are in files (--good, --bad), or are made
from a kit of test keys ("immure probe init"), of which the server must have been told; the mailbox of a kit's
tokens is immure-probe. Good tokens and the first bad one are brought to every port by both mechanisms, all
others once by IMAP and once by SMTP. Nothing is read or mailed.

What is also looked at: whether passwords are taken, and whether one can log in without TLS.

\b
Examples:
  immure mail check mail.example --user ada@contoso.example --good ada.jwt --bad consumer.jwt \\
      --other-user bob@contoso.example --i-own-this mail.example
  immure mail check mail.example --user immure-probe@contoso.example --kit kit/kit.toml \\
      --i-own-this mail.example --format json -o check.json

\b
Exit codes:
  0    good tokens get in, and nothing else does
  1    something was let in, or is offered, that must not be
  2    the command cannot be done as it was given, or the host is not confirmed
  3    cannot tell: a good token was not let in, or not everything was answered
  130  interrupted
"""


@click.command(epilog=_EPILOG)
@click.argument("host", metavar="HOST")
@click.option("--user", metavar="ADDRESS", required=True, help="The mailbox that the good tokens open.")
@click.option("--i-own-this", "owned", metavar="HOST", multiple=True, help="Say that this host is yours.")
@click.option("--good", metavar="FILE", multiple=True, type=click.Path(), help="A token that must get in.")
@click.option("--bad", metavar="FILE", multiple=True, type=click.Path(), help="A token that must not.")
@click.option("--kit", metavar="FILE", type=click.Path(), help="Test keys to make tokens from (TOML).")
@click.option("--only", metavar="NAME,...", default="scope", show_default=True,
              help="Cases of immure probe that are made from the kit.")  # fmt: skip
@click.option("--other-user", metavar="ADDRESS", multiple=True,
              help="A mailbox that the good tokens must not open.")  # fmt: skip
@click.option("--imap", type=click.IntRange(0, 65535), default=143, show_default=True, help="0 for none.")
@click.option("--imaps", type=click.IntRange(0, 65535), default=993, show_default=True, help="0 for none.")
@click.option("--submission", type=click.IntRange(0, 65535), default=587, show_default=True,
              help="0 for none.")  # fmt: skip
@click.option("--submissions", type=click.IntRange(0, 65535), default=465, show_default=True,
              help="0 for none.")  # fmt: skip
@click.option("--ca-file", metavar="FILE", type=click.Path(), help="Certificates to trust (PEM).")
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(0.1, 600), default=10.0,
              show_default=True, help="For one token.")  # fmt: skip
@click.option("-f", "--format", "form", type=click.Choice(["terminal", "json"]), default="terminal",
              show_default=True)  # fmt: skip
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where the report goes.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors, and no progress.")
def check(**given: Any) -> int:
    """Bring good and out-of-scope tokens to a mail server of your own, by IMAP and SMTP, and say who got
    in.
    """
    from immure.mail.capabilities import offered
    from immure.mail.check import Verdict
    from immure.mail.check import check as run
    from immure.mail.check_report import write_json, write_table

    entrances = _entrances(given)
    attempts = _attempts(given)
    doors = [_door(entrance, one, given) for entrance in entrances for one in _MECHANISMS]
    if given["output"] is not None:
        check_writable(given["output"])
    report = run(given["host"], doors, attempts, offered, progress=_progress(quiet=given["quiet"]))
    if not given["quiet"] or given["output"] is not None or given["form"] == "json":
        with open_output(given["output"], utf8=given["form"] == "json") as stream:
            (write_json if given["form"] == "json" else write_table)(report, stream)
    codes = {Verdict.RIGHT: ExitCode.CLEAN, Verdict.WRONG: ExitCode.FINDINGS}
    return codes.get(report.verdict, ExitCode.INCOMPLETE)


def _entrances(given: dict[str, Any]) -> list[Entrance]:
    from immure.mail.capabilities import Entrance, Protocol

    host, ca_file, seconds = given["host"], given["ca_file"], given["timeout"]
    places: tuple[tuple[str, Protocol, bool], ...] = (
        ("imaps", "imap", True),
        ("imap", "imap", False),
        ("submissions", "smtp", True),
        ("submission", "smtp", False),
    )
    made = [
        Entrance(protocol, host, given[name], implicit, ca_file, seconds)
        for name, protocol, implicit in places
        if given[name]
    ]
    if not made:
        raise UsageError("every port is 0: there is no way in to check")
    return made


def _door(entrance: Entrance, mechanism: str, given: dict[str, Any]) -> Door:
    """A door to which the clients of ``immure probe`` bring tokens; the host is confirmed here."""
    from immure.mail.check import Door
    from immure.probe.errors import CarryError
    from immure.probe.target import How, open_channel, parse_target

    scheme = {"imap": "imap", "smtp": "smtp"}[entrance.protocol] + ("s" if entrance.implicit else "")
    host = f"[{entrance.host}]" if ":" in entrance.host else entrance.host
    target = parse_target(f"{scheme}://{host}:{entrance.port}", given["owned"])

    def ask(token: str, mailbox: str) -> tuple[str, str]:
        how = How(
            user=mailbox,
            mechanism="XOAUTH2" if mechanism == "XOAUTH2" else "OAUTHBEARER",
            ca_file=entrance.ca_file,
            seconds=entrance.seconds,
        )
        try:
            answer = open_channel(target, how).ask(token)
        except CarryError as error:
            return "not asked", error.reason
        return answer.outcome.value, answer.detail

    return Door(entrance, mechanism, ask)


def _attempts(given: dict[str, Any]) -> list[Attempt]:
    from immure.mail.check import LET_IN, REFUSED, Attempt

    user = given["user"]
    good = [(Path(path).name, _token(path)) for path in given["good"]]
    bad = [(Path(path).name, "from a file", _token(path)) for path in given["bad"]]
    if given["kit"] is not None:
        more_good, more_bad = _from_kit(given["kit"], given["only"])
        good, bad = good + more_good, bad + more_bad
    if not good or not (bad or given["other_user"]):
        raise UsageError("a good and a bad token are needed: --good and --bad, or --kit")
    made = [Attempt(name, "a good token", LET_IN, token, user, everywhere=True) for name, token in good]
    for number, (name, title, token) in enumerate(bad):
        made.append(Attempt(name, title, REFUSED, token, user, everywhere=number == 0))
    for other in given["other_user"]:
        title = "a good token, and another's mailbox"
        made += [
            Attempt("other-user", title, REFUSED, token, other, everywhere=True) for _, token in good[:1]
        ]
    return made


def _from_kit(path: str, only: str) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    from immure import clock
    from immure.probe.case import chosen
    from immure.probe.catalogue import CATALOGUE
    from immure.probe.errors import MissingError
    from immure.probe.kit_file import read_kit
    from immure.probe.mint import Mint

    mint = Mint(read_kit(path), int(clock.now().timestamp()))
    bad = []
    for case in chosen(CATALOGUE, [one.strip() for one in only.split(",") if one.strip()]):
        try:
            tokens = case.tokens(mint)
        except MissingError:
            continue  # the kit has no such key: immure probe says so, and makes a report of it
        if case.expected == "refuse" and len(tokens) == 1:
            bad.append((case.id, case.title, tokens[0]))
    if not bad:
        raise UsageError("--only leaves no case that could be made from the kit", path=path)
    return [("control", mint.good())], bad


def _token(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MOST_TOKEN + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path) from error
    text = data.decode("ascii", "replace").strip()
    if len(data) > _MOST_TOKEN or not text or not all("!" <= char <= "~" for char in text):
        raise UsageError("holds no token", path=path)
    return text


def _progress(*, quiet: bool) -> Any:
    import sys

    if quiet or not sys.stderr.isatty():
        return None

    def told(done: int, of: int) -> None:
        click.echo(f"\r{done} of {of} tokens" + ("\n" if done == of else ""), err=True, nl=False)

    return told
