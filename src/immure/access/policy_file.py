"""The policy as a TOML file, read strictly.

>>> policy = parse_policy(Path("access.toml").read_bytes(), "access.toml")   # doctest: +SKIP
>>> policy.rule_for(parse_resource("room:debug"), ("enter",)).approvers       # doctest: +SKIP
2

``docs/reference/access-policy.md`` describes every member. A member that this version does not know is an
error, since it may have been meant to forbid something.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from immure.access.names import ACTIONS, parse_namespace, parse_role
from immure.access.pattern import Pattern, parse_pattern
from immure.access.policy import (
    LEAST_APPROVERS,
    LEAST_KEYS,
    MOST_HOURS,
    TPM_MODES,
    VERSION,
    GlassRules,
    MetadataRules,
    Party,
    PeopleRules,
    Policy,
    Rule,
    TpmRules,
)
from immure.access.webauthn.chain import parse_pem
from immure.access.webauthn.models import Model, parse_model
from immure.errors import PolicyError, UsageError
from immure.toml_file import Table, parse_toml

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: Of a policy, and of a file of tests.
MOST_BYTES: Final = 1 << 17


def parse_policy(data: bytes, path: str = "policy") -> Policy:
    """The policy in the bytes of a file.

    Raises:
        PolicyError: this is no policy, or one that this version does not know in full.
    """
    top = Table(parse_toml(data, path, MOST_BYTES, PolicyError), path)
    if top.number("version", least=0, most=1 << 30) != VERSION:
        raise PolicyError(f"is a policy of another version than {VERSION}, the one that is known", path=path)
    people = _people(top.table("people", required=True))
    sessions = top.table("sessions")
    workstation_roots, tpm = _workstations(top.table("workstations"))
    policy = Policy(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        namespace=_namespace(top),
        party=_party(top.table("relying_party", required=True), top.texts("corporate_domains")),
        people=people,
        models=_models(top.tables("key")),
        metadata=_metadata(top.table("metadata")),
        workstation_roots=workstation_roots,
        tpm=tpm,
        session=timedelta(hours=sessions.number("hours", 8, least=1, most=MOST_HOURS)),
        rules=tuple(_rule(table, people) for table in top.tables("rule")),
        glass=_glass(top.table("break_glass"), people),
    )
    sessions.done()
    top.done()
    if not policy.models:
        raise PolicyError("names no model of hardware key ([[key]]), so that nobody could get in", path=path)
    return policy


def _namespace(top: Table) -> str:
    try:
        return parse_namespace(top.text("namespace"))
    except UsageError as error:
        raise top.fail(f"'namespace': {error.reason}") from error


def _party(table: Table, corporate: tuple[str, ...]) -> Party:
    party = Party(table.text("id").lower(), table.text("name"), table.texts("origins"))
    for origin in party.origins:
        host = _host(origin, table)
        if host != party.id and not host.endswith(f".{party.id}"):
            raise table.fail(f"'origins': {origin[:80]} is not on {party.id} or below it")
    if not party.origins:
        raise table.fail("'origins' names none")
    for domain in (one.lower() for one in corporate):
        if party.id == domain or party.id.endswith(f".{domain}"):
            raise table.fail(f"'id': {party.id} is a corporate domain ({domain})")
    table.done()
    return party


def _host(origin: str, table: Table) -> str:
    """The host of an origin (RFC 6454) by https, or of http://localhost."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    local = parts.scheme == "http" and host == "localhost"
    spelled = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    if not host or (parts.scheme != "https" and not local) or spelled != origin:
        raise table.fail(f"'origins': {origin[:80]!r} is not an origin as https://access.prod.example")
    return host


def _people(table: Table) -> PeopleRules:
    rules = PeopleRules(
        levels=table.texts("levels"),
        least_keys=table.number("keys", LEAST_KEYS, least=LEAST_KEYS, most=8),
        approvers=table.number("approvers", LEAST_APPROVERS, least=LEAST_APPROVERS, most=8),
        approver_roles=_roles(table, "approver_roles"),
        open_for=timedelta(hours=table.number("open_hours", 24, least=1, most=24 * 14)),
    )
    if not rules.levels:
        raise table.fail("'levels' names no level of screening")
    table.done()
    return rules


def _roles(table: Table, name: str) -> tuple[str, ...]:
    try:
        return tuple(parse_role(one) for one in table.texts(name, ()))
    except UsageError as error:
        raise table.fail(f"'{name}': {error.reason}") from error


def _models(tables: list[Table]) -> tuple[Model, ...]:
    models = []
    for table in tables:
        models.append(parse_model(table))
        table.done()
    if len({model.aaguid for model in models}) != len(models):
        raise tables[0].fail("and the others: one model is named twice")
    return tuple(models)


def _metadata(table: Table) -> MetadataRules:
    required, signer = table.flag("required", False), table.text("signer", "mds.fidoalliance.org")
    rules = MetadataRules(required, signer, _certificates(table, "roots"))
    table.done()
    return rules


def _workstations(table: Table) -> tuple[tuple[Certificate, ...], TpmRules]:
    roots, mode = _certificates(table, "roots"), table.text("tpm", "preferred")
    tpm = TpmRules(mode, _certificates(table, "tpm_roots"))
    if mode not in TPM_MODES:
        raise table.fail(f"'tpm' is none of {', '.join(TPM_MODES)}")
    if mode == "required" and not tpm.roots:
        raise table.fail("'tpm' is required, and 'tpm_roots' names nobody who vouches for one")
    table.done()
    return roots, tpm


def _certificates(table: Table, name: str) -> tuple[Certificate, ...]:
    found = []
    for text in table.texts(name, ()):
        try:
            found.append(parse_pem(text))
        except UsageError as error:
            raise table.fail(f"'{name}': {error.reason}") from error
    return tuple(found)


def _rule(table: Table, people: PeopleRules) -> Rule:
    level = table.text("level", people.levels[-1])
    if level not in people.levels:
        raise table.fail(f"'level' is none of {', '.join(people.levels)}")
    resources = _patterns(table, "resources")
    actions = table.texts("actions")
    known = {action for name in ACTIONS.values() for action in name}
    for action in actions:
        if action not in known:
            raise table.fail(f"'actions' names {action[:40]!r}; there are {', '.join(sorted(known))}")
    rule = Rule(
        resources=resources,
        actions=actions,
        level=level,
        roles=_roles(table, "roles"),
        approvers=table.number("approvers", LEAST_APPROVERS, least=LEAST_APPROVERS, most=8),
        approver_roles=_roles(table, "approver_roles"),
        hours=table.number("hours", least=1, most=MOST_HOURS),
        ticket=_ticket(table),
    )
    table.done()
    return rule


def _ticket(table: Table) -> Pattern | None:
    text = table.text("ticket", "")
    return _parsed(table, "ticket", (text,))[0] if text else None


def _patterns(table: Table, name: str, default: tuple[str, ...] | None = None) -> tuple[Pattern, ...]:
    return _parsed(table, name, table.texts(name) if default is None else table.texts(name, default))


def _parsed(table: Table, name: str, texts: tuple[str, ...]) -> tuple[Pattern, ...]:
    try:
        return tuple(parse_pattern(one) for one in texts)
    except UsageError as error:
        raise table.fail(f"'{name}': {error.reason}") from error


def _glass(table: Table, people: PeopleRules) -> GlassRules:
    level = table.text("level", people.levels[-1])
    if level not in people.levels:
        raise table.fail(f"'level' is none of {', '.join(people.levels)}")
    rules = GlassRules(
        resources=_patterns(table, "resources", ()),
        level=level,
        hours=table.number("hours", 1, least=1, most=8),
        alarms=table.texts("alarms", ()),
        reviewers=table.number("reviewers", 1, least=1, most=8),
    )
    for url in rules.alarms:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise table.fail(f"'alarms': {url[:80]} is not https, nor http on this machine")
    table.done()
    return rules
