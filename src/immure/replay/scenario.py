"""A scenario: how a key is lost and what it is used for, as data.

    version = 1
    name = "storm-0558"
    title = "…"

    [theft]
    way = "dump"                # or "host", "repository", "secret"
    issuer = "consumer"         # or "enterprise": whose key it is

    [forgery]
    jti = "fresh"               # or "copied", from a genuine token

    [[links]]
    title = "The dump of a crashed signer holds the key"
    happened = "…"
    controls = ["custody", "redact"]

    [[organizations]]
    name = "Ministry of Harbours"
    mailbox = "minister@harbours.example"

Those that come with Immure are in ``immure/replay/scenarios``; a path names one of the user's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal, get_args
from uuid import NAMESPACE_DNS, uuid5

from immure.errors import UsageError
from immure.introspection.table import Table
from immure.replay.controls import CONTROLS
from immure.toml_file import parse_toml, read_bounded

Way = Literal["dump", "host", "repository", "secret"]
Lost = Literal["consumer", "enterprise"]
Jti = Literal["fresh", "copied"]
MOST_BYTES: Final = 1 << 18
MOST_LINKS: Final = 12
MOST_ORGANIZATIONS: Final = 100
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_MAILBOX: Final = re.compile(
    r"[a-z0-9][a-z0-9.-]{0,62}@[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+){0,4}\.(?:example|test)"
)
#: Controls that have something to do, by how the key is lost.
FITTING: Final[dict[str, frozenset[str]]] = {
    "dump": frozenset(CONTROLS),
    "host": frozenset(CONTROLS) - {"redact", "gate", "scan"},
    "repository": frozenset(CONTROLS) - {"redact", "gate"},
    "secret": frozenset({"key-scope", "ledger", "mail-log"}),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the chain.

    Attributes:
        number: from 1.
        title: what it is, in a few words.
        happened: what is known of it.
        controls: which of ours break it.
    """

    number: int
    title: str
    happened: str
    controls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Organization:
    """Somebody whose mail is read; invented."""

    name: str
    mailbox: str

    @property
    def domain(self) -> str:
        """Of its mail."""
        return self.mailbox.partition("@")[2]

    @property
    def tenant(self) -> str:
        """The id of its tenant: the same in each run."""
        return str(uuid5(NAMESPACE_DNS, self.domain))


@dataclass(frozen=True, slots=True)
class Scenario:
    """See the module."""

    name: str
    title: str
    about: str
    way: Way
    lost: Lost
    jti: Jti
    links: tuple[Link, ...]
    organizations: tuple[Organization, ...]

    @property
    def controls(self) -> tuple[str, ...]:
        """Those of ours, in the order of the links."""
        return tuple(name for link in self.links for name in link.controls)

    def link_of(self, control: str) -> int:
        """The number of the link that a control breaks."""
        return next(link.number for link in self.links if control in link.controls)

    def expected_break(self, controls: frozenset[str]) -> int | None:
        """Where the chain must break with these controls; None if it must not, as none of them stops it."""
        stopping = [self.link_of(name) for name in controls if not CONTROLS[name].notices]
        return min(stopping, default=None)

    def expected_notice(self, controls: frozenset[str]) -> bool:
        """Whether somebody must notice that mail was read, if it was."""
        return any(CONTROLS[name].notices for name in controls)


def names() -> list[str]:
    """The scenarios that come with Immure."""
    return sorted(
        one.name.removesuffix(".toml") for one in _directory().iterdir() if one.name.endswith(".toml")
    )


def read_scenario(name: str) -> Scenario:
    """A scenario by its name, or from a file of the user's own.

    Raises:
        UsageError: there is none, or it cannot be understood.
    """
    if name.endswith(".toml"):
        _, data = read_bounded(name, MOST_BYTES)
        return parse_scenario(data, name)
    if name not in names():
        raise UsageError(
            f"there is no scenario {name[:80]!a}; there are {', '.join(names())}, and files (.toml)"
        )
    return parse_scenario((_directory() / f"{name}.toml").read_bytes(), name)


def parse_scenario(data: bytes, path: str) -> Scenario:
    """The scenario that ``data`` holds; raises as :func:`read_scenario`."""
    values = parse_toml(data, path, MOST_BYTES)
    try:
        return _scenario(values)
    except UsageError as error:
        raise UsageError(error.reason, path=path) from error


def _scenario(values: dict[str, Any]) -> Scenario:
    links = tuple(_link(number, one) for number, one in enumerate(_list(values, "links", MOST_LINKS), 1))
    organizations = tuple(_organization(one) for one in _list(values, "organizations", MOST_ORGANIZATIONS))
    table = Table(values)
    if table.number("version", 0, 0, 1 << 30) != 1:
        raise UsageError("version is not 1")
    theft, forgery = table.table("theft"), table.table("forgery")
    made = Scenario(
        _matching(_NAME, table.text("name"), "name"),
        table.text("title"),
        table.text("about"),
        theft.choice("way", get_args(Way)),
        theft.choice("issuer", get_args(Lost)),
        forgery.choice("jti", get_args(Jti), "fresh"),
        links,
        organizations,
    )
    for one in (theft, forgery, table):
        one.end()
    _check(made)
    return made


def _check(made: Scenario) -> None:
    named = [name for link in made.links for name in link.controls]
    for name in named:
        if name not in CONTROLS:
            raise UsageError(f"links: there is no control {name[:80]!a}")
        if named.count(name) > 1:
            raise UsageError(f"links: the control {name!r} is at two links")
        if name not in FITTING[made.way]:
            raise UsageError(
                f"links: the control {name!r} has nothing to do where a key is lost by {made.way}"
            )
    if made.lost == "enterprise" and made.way != "secret" and "key-scope" in named:
        raise UsageError("links: key-scope does not stop a key that signs for its own issuer")
    if not made.controls:
        raise UsageError("links: none of them has a control")
    domains = [one.domain for one in made.organizations]
    if len(set(domains)) != len(domains):
        raise UsageError("organizations: two have the same domain")


def _list(values: dict[str, Any], name: str, most: int) -> list[Any]:
    found = values.pop(name, None)
    if not isinstance(found, list) or not 0 < len(found) <= most:
        raise UsageError(f"{name} is not a list of 1 to {most} tables")
    return found


def _link(number: int, value: Any) -> Link:
    table = Table(value, f"links.{number}")
    made = Link(number, table.text("title"), table.text("happened"), table.texts("controls"))
    table.end()
    return made


def _organization(value: Any) -> Organization:
    table = Table(value, "organizations")
    made = Organization(
        table.text("name"), _matching(_MAILBOX, table.text("mailbox"), "organizations.mailbox")
    )
    table.end()
    return made


def _matching(pattern: re.Pattern[str], text: str, where: str) -> str:
    if not pattern.fullmatch(text):
        raise UsageError(f"{where}: {text[:80]!a} is not of the form that is needed here")
    return text


def _directory() -> Any:
    return resources.files("immure.replay") / "scenarios"
