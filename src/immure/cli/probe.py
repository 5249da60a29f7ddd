"""``immure probe``: send forged and misused test tokens to a relying party of one's own."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.messages import say
from immure.cli.output import check_writable, open_output
from immure.cli.probe_init import init
from immure.errors import UsageError

if TYPE_CHECKING:
    from immure.probe.case import Case
    from immure.probe.target import How

_EPILOG = """
URL is of http, https, imap, imaps, smtp or smtps. Its host must be yours, and be named once more by
--i-own-this. A kit of test keys is made by "immure probe init DIR"; the relying party must be told of its
public keys first.

Controls come first: a good token must be let in, and junk must not. If they do not hold, now or later, the
answer is "cannot tell" (3), never that all is well.

\b
Examples:
  immure probe init kit --audience https://mail.example
  immure probe https://mail.staging.example/inbox --kit kit/kit.toml --i-own-this mail.staging.example
  immure probe imaps://mail.staging.example --user ada --kit kit/kit.toml --i-own-this mail.staging.example
  immure probe URL --kit kit/kit.toml --i-own-this HOST --only scope,alg --format html -o probe.html
  immure probe --list

\b
Exit codes:
  0    nothing was let in that must be refused
  1    something was let in
  2    the command cannot be done as it was given, or the host is not confirmed
  3    cannot tell: a control did not hold, or not everything was answered
  130  interrupted
"""


class ProbeCommand(click.Command):
    """``probe URL``; ``probe init DIR`` is another command behind the same name."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command that is meant."""
        if args[:1] == ["init"]:
            return init.make_context(f"{info_name} init", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("probe", cls=ProbeCommand, epilog=_EPILOG)
@click.argument("url", metavar="URL", required=False)
@click.option("--kit", "kit_path", metavar="FILE", type=click.Path(), help="The test keys (TOML).")
@click.option("--i-own-this", "owned", metavar="HOST", multiple=True, help="Say that this host is yours.")
@click.option("--method", metavar="METHOD", default="GET", show_default=True, help="Of HTTP requests.")
@click.option(
    "--scheme", metavar="WORD", default="Bearer", show_default=True, help="Before the token; empty for none."
)
@click.option("--token-header", metavar="NAME", default="Authorization", show_default=True,
              help="The header that holds it.")  # fmt: skip
@click.option("--header", "headers", metavar="NAME:VALUE", multiple=True, help="Another header to send.")
@click.option("--let-in", metavar="STATUS,...", default="200-299", show_default=True,
              help="HTTP status codes that mean that a token was let in.")  # fmt: skip
@click.option("--let-in-body", metavar="REGEX", help="What the body must hold, too, if a token was let in.")
@click.option("--introspection", is_flag=True, help="URL is an introspection endpoint (RFC 7662).")
@click.option("--client-id", metavar="ID", help="Who asks there.")
@click.option("--client-secret-file", metavar="FILE", type=click.Path(), help="A file with the secret of it.")
@click.option("--user", metavar="NAME", default="", help="Whose mailbox it is (IMAP, SMTP).")
@click.option("--mechanism", type=click.Choice(["XOAUTH2", "OAUTHBEARER"]), default="XOAUTH2",
              show_default=True, help="Of SASL (IMAP, SMTP).")  # fmt: skip
@click.option("--tls", type=click.Choice(["implicit", "starttls", "none"]),
              help="Instead of what the scheme means; none only on this machine (IMAP, SMTP).")  # fmt: skip
@click.option("--ca-file", metavar="FILE", type=click.Path(), help="Certificates to trust (PEM).")
@click.option("--rate", metavar="N", type=click.FloatRange(0.01, 1000), default=5.0, show_default=True,
              help="Tokens per second at most.")  # fmt: skip
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(0.1, 600), default=10.0,
              show_default=True, help="For one token.")  # fmt: skip
@click.option("--budget", metavar="SECONDS", type=click.FloatRange(1, 86400), default=900.0,
              show_default=True, help="For all tokens.")  # fmt: skip
@click.option("--only", metavar="NAME,...", default="", help="Only these cases, groups or patterns.")
@click.option("--skip", metavar="NAME,...", default="", help="All but these cases, groups or patterns.")
@click.option("--list", "listing", is_flag=True, help="Print the catalogue, and send nothing.")
@click.option("--dry-run", metavar="DIR", type=click.Path(), help="Write the tokens there, and send nothing.")
@click.option("-f", "--format", "form", type=click.Choice(["terminal", "json", "sarif", "html"]),
              default="terminal", show_default=True)  # fmt: skip
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where the report goes.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors, and no progress.")
def probe(**given: Any) -> int:
    """Send forged and misused test tokens to a relying party of your own, and report which are let in.

    The catalogue holds every violation of key scope and every attack on JWT that we know: a genuine key that
    signs for another issuer, alg none, keys inside the token, and some 300 more. Each names the standard that
    says what is right. Private keys are never sent or printed; reports name tokens by digests.
    """
    from immure.probe.case import chosen
    from immure.probe.catalogue import CATALOGUE

    cases = chosen(CATALOGUE, _names(given["only"]), _names(given["skip"]))
    if given["listing"]:
        return _list(cases, given["output"], given["form"])
    if given["kit_path"] is None:
        raise UsageError('--kit is needed; "immure probe init DIR" makes one')
    if given["dry_run"] is not None:
        return _write(cases, given["kit_path"], given["dry_run"], quiet=given["quiet"])
    if given["url"] is None:
        raise UsageError("URL is needed")
    return _probe(cases, given)


def _list(cases: list[Case], output: str | None, form: str) -> int:
    from immure.probe.report.terminal import write_catalogue

    with open_output(output) as stream:
        if form == "json":
            import json

            names = ("id", "group", "title", "reference", "severity", "expected")
            json.dump([{name: getattr(case, name) for name in names} for case in cases], stream, indent=1)
            stream.write("\n")
        else:
            write_catalogue(cases, stream)
    return ExitCode.CLEAN


def _write(cases: list[Case], kit_path: str, directory: str, *, quiet: bool) -> int:
    from immure.probe.kit_file import read_kit
    from immure.probe.tokens_dir import write_tokens

    count = write_tokens(directory, read_kit(kit_path), cases)
    if not quiet:
        say(f"{directory}: the tokens of {count} cases; nothing was sent")
    return ExitCode.CLEAN


def _probe(cases: list[Case], given: dict[str, Any]) -> int:
    from immure.cli.count_progress import count_progress
    from immure.probe.kit_file import read_kit
    from immure.probe.pace import Pace
    from immure.probe.report.formats import write_report
    from immure.probe.report.words import exit_code
    from immure.probe.run import Probe
    from immure.probe.target import open_channel, parse_target

    target = parse_target(given["url"], given["owned"], tls=given["tls"])
    channel = open_channel(target, _how(given))
    kit = read_kit(given["kit_path"])
    if given["output"] is not None:
        check_writable(given["output"])
    pace = Pace(given["rate"], given["budget"])
    with count_progress("cases", quiet=given["quiet"]) as told:
        report = Probe(channel, kit, cases, pace=pace, progress=told).run()
    shown = not given["quiet"] or given["output"] is not None or given["form"] != "terminal"
    with open_output(given["output"], utf8=given["form"] != "terminal") if shown else nullcontext() as stream:
        if stream is not None:
            write_report(report, stream, given["form"])
    return exit_code(report.verdict)


def _how(given: dict[str, Any]) -> How:
    from immure.probe.target import How

    return How(
        method=given["method"],
        scheme=given["scheme"],
        token_header=given["token_header"],
        headers=tuple(_header(text) for text in given["headers"]),
        let_in=_statuses(given["let_in"]),
        pattern=_pattern(given["let_in_body"]),
        introspection=given["introspection"],
        client=_client(given["client_id"], given["client_secret_file"]),
        user=given["user"],
        mechanism=given["mechanism"],
        ca_file=given["ca_file"],
        seconds=given["timeout"],
    )


def _names(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError("--header is NAME:VALUE")
    return name.strip(), value.strip()


def _statuses(text: str) -> frozenset[int]:
    """``200-299,304``."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?\s*", part)
        if match is None:
            raise UsageError("--let-in is a list of HTTP status codes, such as 200-299 or 200,204")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise UsageError(f"--let-in-body is no regular expression: {error}") from None


def _client(name: str | None, path: str | None) -> tuple[str, str] | None:
    from immure.custody.secret_file import read_secret_file, wipe

    if (name is None) != (path is None):
        raise UsageError("--client-id and --client-secret-file are given together")
    if name is None or path is None:
        return None
    data = read_secret_file(path)
    try:
        return name, data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UsageError("is not a text in UTF-8", path=path) from None
    finally:
        wipe(data)
